// Stands in for Google Meet. Each state says where it was seen; none was seen live by this project.
import { begin } from "./stage.js";

const LOBBY = "Asking to be let in<br>You’ll join the call when someone lets you in"; // vexa, attendee, screenapp: lobby texts
const GERMAN = { ask: "Teilnahme anfragen", name: "Mein Name" };

const states = {
  lobbyText: LOBBY,
  toastText: "You’ve been removed from the meeting", // vexa#600: a notice that was taken for a removal
  modalText: "Do you want people to see and hear you?", // screenapp, attendee
  modalButton: "Continue without microphone and camera",

  prejoin(stage) {
    const german = stage.has("other_language");
    if (stage.has("hidden_duplicates")) {
      stage.add(`<div style="display:none"><input type="text" aria-label="Your name"><button>Ask to join</button></div>`);
    }
    stage.add(`<a href="https://accounts.google.com/signin">Sign in with your Google Account</a>`); // in every guest's header
    stage.add(`<button aria-label="Turn off microphone">mic</button>`); // vexa, attendee, joinly
    stage.add(`<button aria-label="Turn off camera">cam</button>`);
    const name = stage.add(`<input type="text" jsname="YPqjbf" aria-label="${german ? GERMAN.name : "Your name"}">`);
    const join = stage.add(`<button><i>videocam</i> ${german ? GERMAN.ask : stage.scenario.open ? "Join now" : "Ask to join"}</button>`); // vexa#380
    join.addEventListener("click", () => stage.join(name.value));
  },
  lobby(stage) {
    stage.add(`<p>${LOBBY}</p>`);
    stage.add(`<button>Return to home screen</button>`); // vexa#421: while waiting as well
    if (stage.has("lobby_buttons")) { // vexa#166, #377
      const leave = stage.add(`<button aria-label="Leave call">call_end</button>`);
      leave.addEventListener("click", () => stage.leave());
      stage.add(`<button aria-label="Turn on microphone">mic</button>`);
    }
    if (stage.has("effects_tile")) stage.add(`<div data-participant-id="self" aria-label="Backgrounds and effects">tile</div>`); // vexa
  },
  inside(stage) {
    stage.add(`<div data-participant-id="self">Usher</div>`); // vexa, attendee
    stage.tiles = stage.add(`<section></section>`);
    this.people(stage, stage.scenario.people ?? []);
    const leave = stage.add(`<button aria-label="Leave call">call_end</button>`);
    leave.addEventListener("click", () => stage.leave());
    const captions = stage.add(`<button aria-label="Turn on captions">closed_caption</button>`); // Recall.ai, public caption readers
    captions.addEventListener("click", () => {
      stage.captioned = true;
      captions.setAttribute("aria-label", "Turn off captions");
      stage.captions = stage.add(`<div role="region" aria-label="Captions" tabindex="0"></div>`);
    });
  },
  people(stage, names) {
    stage.tiles.innerHTML = names.map((name, at) => `<div data-participant-id="p${at}"><div>${name}</div><div jsname="QgSmzd" class="IisKdb gjg47c"></div></div>`).join("");
  },
  // vexa: the class of an equalizer in the tile says whether its owner is heard
  speaks(stage, who) {
    for (const tile of stage.tiles.children) tile.lastChild.className = tile.textContent === who ? "IisKdb HX2H7" : "IisKdb gjg47c";
  },
  // One block for each turn, the older ones stay for a while.
  caption(stage, { at, who, text }) {
    const block = () => stage.captions.querySelector(`[data-turn="${at}"]`);
    if (!block()) {
      stage.captions.insertAdjacentHTML("beforeend", `<div class="nMcdL bj4p3b" data-turn="${at}"><div><img alt=""><span class="NWpY1d">${who}</span></div><div class="ygicle VbkSUe"></div></div>`);
    }
    block().querySelector(".ygicle").textContent = text;
  },
  left(stage) { stage.add(`<h1>You left the meeting</h1><button>Rejoin</button>`); }, // attendee
  denied(stage) { stage.add(`<h1>Someone in the call denied your request to join</h1>`); }, // vexa, attendee
  lobby_timeout(stage) {
    stage.add(`<h1>No one responded to your request to join the call</h1>`); // attendee, screenapp
    stage.add(`<button>Return to home screen</button>`);
  },
  removed(stage) { stage.add(`<h1>You’ve been removed from the meeting</h1>`); }, // attendee
  ended(stage) { stage.add(`<h1>Your host ended the meeting for everyone</h1>`); }, // vexa, attendee
  blocked(stage) { stage.add(`<h1>You can’t join this video call</h1><button>Return to home screen</button>`); }, // attendee#841
  captcha(stage) { stage.add(`<iframe src="/recaptcha/frame" style="width:304px;height:78px"></iframe>`); }, // vexa
  invisible_captcha(stage) {
    this.prejoin(stage);
    stage.add(`<iframe src="/recaptcha/frame" style="width:256px;height:60px;visibility:hidden"></iframe>`); // on every page
  },
  not_found(stage) { stage.add(`<h1>Check your meeting code</h1>`); }, // attendee
  not_started(stage) { stage.add(`<h1>Waiting for the host to join</h1>`); }, // attendee
  sign_in(stage) { stage.add(`<h1>Sign in</h1><p>with your Google Account</p><input type="email" aria-label="Email">`); }, // attendee, screenapp
  unknown(stage) { stage.add(`<h1>Something entirely new</h1>`); },
};

begin({ room: location.pathname.split("/").filter(Boolean).pop(), states });
