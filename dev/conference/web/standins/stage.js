// What the three stand-ins share: a scenario that the test set for the meeting, a stage on which a platform draws its
// states, and a real connection to LiveKit, so that a remote track exists only once the server let the guest in.
import { DisconnectReason, Room, RoomEvent, Track } from "livekit-client";

async function post(room, verb, body = {}) {
  const answer = await fetch(`/api/${room}/${verb}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

export const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Elements from their HTML.
function elements(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return [...template.content.children];
}

// A lobby's music: a live audio element before anyone was let in.
function music() {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const tone = context.createOscillator();
  tone.connect(out);
  tone.start();
  const audio = new Audio();
  audio.autoplay = true;
  audio.srcObject = out.stream;
  return audio;
}

// `states` draws each state into a root: { prejoin(stage) {…}, lobby(stage) {…}, … }.
export class Stage {
  constructor({ room, states, scenario }) {
    this.room = room;
    this.states = states;
    this.scenario = scenario;
    this.root = document.getElementById("root");
    this.wasInside = false;
  }
  has(trap) { return this.scenario.traps?.includes(trap) ?? false; }

  // Draws a state in place of the last one. Traps that belong to no platform in particular are laid here.
  show(name) {
    const before = this.name;
    this.name = name;
    const draw = this.states[name];
    if (!draw) throw new Error(`There is no state ${name}.`);
    const into = this._root();
    into.replaceChildren();
    if (before === "lobby" && this.has("stale_lobby_text")) into.append(...elements(`<div style="display:none">${this.states.lobbyText}</div>`));
    this.into = into;
    draw.call(this.states, this);
    if (name === "inside") this._talk();
    if (this.has("toast") && (name === "inside" || name === "lobby")) this._toast();
    if (this.has("audio_before_admission") && name === "lobby") into.append(music());
  }
  // Adds to the state; gives the first of what was added.
  add(html) {
    const made = elements(html);
    this.into.append(...made);
    return made[0];
  }
  // The platform's page may lie in an iframe of the same origin, or in a shadow tree.
  _root() {
    if (this.has("iframe")) {
      if (!this.frame) {
        [this.frame] = elements(`<iframe style="border:0;width:100vw;height:100vh"></iframe>`);
        this.root.replaceChildren(this.frame);
      }
      return this.frame.contentDocument.body;
    }
    if (this.has("shadow")) return (this.root.shadowRoot ?? this.root.attachShadow({ mode: "open" }));
    return this.root;
  }
  // Something that only looks like the end: a notice that comes and goes.
  _toast() {
    const toast = this.add(`<div role="alert">${this.states.toastText}</div>`);
    setTimeout(() => toast.remove(), 4000);
  }

  // Who speaks in turn, and what is said: a caption grows word by word, where the guest asked for captions.
  async _talk() {
    for (const [at, [who, text]] of (this.scenario.talk ?? []).entries()) {
      this.states.speaks?.(this, who);
      const words = text.split(" ");
      for (let said = 1; said <= words.length; said++) {
        await wait(0.25);
        if (this.captioned || this.states.captionsByThemselves) this.states.caption(this, { at, who, text: words.slice(0, said).join(" ") });
      }
      await wait(1.5);
    }
  }

  async start() {
    if (this.has("slow_paint")) await wait(3);
    this.show(this.scenario.start ?? "prejoin");
  }
  // The guest pressed the button.
  async join(name, passcode) {
    if (!name && this.states.asksName !== false) return;
    if (this.has("modal_after_click") && !this.dismissed) return this._modal(name, passcode);
    const { passcode: wanted } = this.scenario;
    if (wanted && passcode === undefined && this.states.passcode) return this.show("passcode");
    if (wanted && passcode !== wanted) return this.show("passcode_wrong");
    if (this.scenario.redirect) return location.assign(this.scenario.redirect);
    if (this.scenario.live) return this._enter(name);
    await this._play(this.scenario.steps ?? ["lobby"]);
  }
  _modal(name, passcode) {
    const modal = this.add(`<div role="dialog" style="position:fixed;inset:0;background:#000c;color:#fff;z-index:99"><p>${this.states.modalText}</p><button>${this.states.modalButton}</button></div>`);
    modal.querySelector("button").addEventListener("click", () => {
      this.dismissed = true;
      modal.remove();
      this.join(name, passcode);
    });
  }
  async _play(steps) {
    for (const step of steps) {
      if (typeof step === "number") await wait(step);
      else this.show(step);
    }
  }

  // With a real server.
  async _enter(name) {
    const ticket = await post(this.room, "join", { name });
    const room = (this.livekit = new Room());
    const look = () => {
      if (this.wasInside || !room.localParticipant.permissions?.canSubscribe) return;
      this.wasInside = true;
      this.show("inside");
      this._people();
    };
    room.on(RoomEvent.Connected, look)
      .on(RoomEvent.ParticipantPermissionsChanged, look)
      .on(RoomEvent.ParticipantConnected, () => this._people())
      .on(RoomEvent.ParticipantDisconnected, () => this._people())
      .on(RoomEvent.TrackSubscribed, (track) => { if (track.kind === Track.Kind.Audio) document.body.append(track.attach()); })
      .on(RoomEvent.Disconnected, (reason) => this._out(reason));
    this.show("lobby");
    await room.connect(location.origin.replace("http", "ws"), ticket.token);
    look();
  }
  _people() {
    if (this.wasInside) this.states.people?.(this, [...this.livekit.remoteParticipants.values()].map((it) => it.name));
  }
  async leave() {
    await this.livekit?.disconnect();
    this.show("left");
  }
  _out(reason) {
    if (reason === DisconnectReason.ROOM_DELETED) this.show("ended");
    else if (reason === DisconnectReason.PARTICIPANT_REMOVED) this.show(this.wasInside ? "removed" : "denied");
  }
}

export async function begin({ room, states }) {
  const scenario = await post(room, "scenario");
  const stage = new Stage({ room, states, scenario });
  window.stage = stage;
  await stage.start();
}
