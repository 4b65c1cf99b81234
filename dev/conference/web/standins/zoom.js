// Stands in for Zoom's web client. Each state says where it was seen; none was seen live by this project.
import { begin } from "./stage.js";

const LOBBY = "Please wait, the meeting host will let you in soon."; // zoomsdk: the vendor's own text

const states = {
  lobbyText: LOBBY,
  toastText: "You have been removed from this breakout room",
  modalText: "Do you want people to hear you in the meeting?", // zoomsdk, vexa
  modalButton: "Continue without microphone and camera",

  launcher(stage) {
    stage.add(`<a href="#" role="button">Join from your browser</a>`).addEventListener("click", () => stage.show("prejoin")); // screenapp
  },
  prejoin(stage) {
    if (stage.has("hidden_duplicates")) stage.add(`<div style="opacity:0;position:absolute;left:-4000px"><input id="inputname"><button id="joinBtn">Join</button></div>`);
    stage.add(`<button id="preview-audio-control-button">Mute</button>`); // vexa, zoomsdk
    const name = stage.add(`<input id="input-for-name" type="text">`); // vexa, joinly
    const secret = stage.scenario.passcode ? stage.add(`<input id="input-for-pwd" type="password">`) : null; // joinly, vexa
    const join = stage.add(`<button class="preview-join-button">${stage.has("other_language") ? "Beitreten" : "Join"}</button>`); // vexa, zoomsdk
    join.addEventListener("click", () => stage.join(name.value, secret?.value));
  },
  lobby(stage) {
    const app = stage.add(`<div class="meeting-app"><p>${LOBBY}</p></div>`); // drawn inside the meeting's element
    if (stage.has("lobby_buttons")) app.append(document.createRange().createContextualFragment(`<button aria-label="Leave">Leave</button><button aria-label="mute my microphone">Mute</button>`));
    app.querySelector("button")?.addEventListener("click", () => stage.leave());
  },
  inside(stage) {
    const app = stage.add(`<div class="meeting-app"><footer></footer></div>`);
    const leave = stage.has("footer_hides") ? null : app.querySelector("footer").appendChild(document.createElement("button"));
    leave?.setAttribute("aria-label", "Leave"); // vexa, joinly
    leave?.append("Leave");
    leave?.addEventListener("click", () => {
      const sure = stage.add(`<button class="leave-meeting-options__btn--danger">Leave meeting</button>`); // vexa, zoomsdk
      sure.addEventListener("click", () => stage.leave());
    });
  },
  captionsByThemselves: true, // the host turns them on
  speaks(stage, who) { // public caption readers
    stage.speaker ??= stage.add(`<div class="speaker-active-container__wrap"><div class="speaker-active-container__video-frame"><div class="video-avatar__avatar"><span class="video-avatar__avatar-title"></span></div></div></div>`);
    stage.speaker.querySelector("span").textContent = who;
  },
  // One line, in which each turn takes the place of the last; no name, only a picture.
  caption(stage, { text }) {
    stage.captions ??= stage.add(`<div id="live-transcription-subtitle"><div class="live-transcription-subtitle__box"><img alt=""><span class="live-transcription-subtitle__item"></span></div></div>`);
    stage.captions.querySelector("span").textContent = text;
  },
  left(stage) { stage.add(`<h1>Thanks for joining</h1>`); },
  denied(stage) { stage.add(`<h1>You have been removed</h1>`); }, // screenapp, attendee
  removed(stage) { stage.add(`<h1>You have been removed from this meeting by the host.</h1>`); }, // zoomsdk
  ended(stage) { stage.add(`<div class="zm-modal-body-title">This meeting has been ended by host</div>`); }, // zoomsdk, vexa
  blocked(stage) { stage.add(`<h1>We’ve detected you may be a bot. Automated bots aren’t allowed in this meeting and must use Zoom RTMS.</h1>`); }, // vexa#345
  captcha(stage) { stage.add(`<div class="component_smart_captcha">Type the characters you see</div>`); }, // meet-teams-bot#234
  not_started(stage) { stage.add(`<h1>Waiting for the host to start the meeting</h1>`); }, // zoomsdk
  full_or_locked(stage) { stage.add(`<h1>Host has locked this meeting.</h1>`); }, // zoomsdk
  passcode_wrong(stage) { stage.add(`<h1>Passcode wrong</h1><input type="password">`); }, // zoomsdk
  sign_in(stage) { stage.add(`<h1>Sign in to join</h1>`); }, // vexa, attendee
  unknown(stage) { stage.add(`<h1>Something entirely new</h1>`); },
};

const [, room] = /\/wc\/(\d+)/.exec(location.pathname) ?? [];
begin({ room, states });
