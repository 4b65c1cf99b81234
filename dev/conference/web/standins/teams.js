// Stands in for Microsoft Teams in the browser. Each state says where it was seen; none was seen live by this project.
import { begin } from "./stage.js";

const LOBBY = "Hi, Usher! Someone will let you in shortly."; // vexa, attendee, joinly

const states = {
  lobbyText: LOBBY,
  toastText: "You’ve been removed from this meeting’s chat", // vexa#600
  modalText: "Are you sure you don’t want audio or video?", // vexa#226
  modalButton: "Continue without audio or video",

  launcher(stage) {
    stage.add(`<h1>Join your Teams meeting</h1>`);
    const go = stage.add(`<button>Continue on this browser</button>`); // vexa, screenapp, joinly
    go.addEventListener("click", () => stage.show("prejoin"));
  },
  prejoin(stage) {
    if (stage.has("hidden_duplicates")) {
      stage.add(`<div style="visibility:hidden;height:0"><input data-tid="prejoin-display-name-input"><button data-tid="prejoin-join-button">Join now</button></div>`);
    }
    stage.add(`<button role="switch" aria-checked="true" data-tid="toggle-mute">Mic</button>`) // attendee, screenapp
      .addEventListener("click", ({ target }) => target.setAttribute("aria-checked", "false"));
    stage.add(`<button role="switch" aria-checked="true" data-tid="toggle-video">Camera</button>`)
      .addEventListener("click", ({ target }) => target.setAttribute("aria-checked", "false"));
    const german = stage.has("other_language");
    const name = stage.add(`<input data-tid="prejoin-display-name-input" placeholder="${german ? "Namen eingeben" : "Type your name"}">`); // attendee, screenapp
    const join = stage.add(`<button data-tid="prejoin-join-button">${german ? "Jetzt teilnehmen" : "Join now"}</button>`); // attendee, meeteboter
    join.addEventListener("click", () => stage.join(name.value));
  },
  lobby(stage) {
    stage.add(`<p>${LOBBY}</p>`);
    if (stage.has("lobby_buttons")) {
      stage.add(`<button id="hangup-button">Leave</button>`).addEventListener("click", () => stage.leave());
      stage.add(`<button data-tid="toggle-mute">Mic</button>`);
    } else {
      stage.add(`<button data-tid="prejoin-cancel-button">Cancel</button>`).addEventListener("click", () => stage.leave());
    }
  },
  inside(stage) {
    stage.tiles = stage.add(`<section></section>`);
    this.people(stage, stage.scenario.people ?? []);
    stage.add(`<button id="callingButtons-showMoreBtn">More</button>`).addEventListener("click", () => this.more(stage)); // attendee
    stage.add(`<button id="hangup-button" data-tid="hangup-main-btn">Leave</button>`).addEventListener("click", () => stage.leave()); // vexa, attendee
  },
  // Captions lie behind two menus, each of which is drawn only when the one before was opened.
  more(stage) {
    stage.add(`<div role="menuitem" id="LanguageSpeechMenuControl-id">Language and speech</div>`).addEventListener("click", () => {
      stage.add(`<div role="menuitem" id="closed-captions-button">Show live captions</div>`).addEventListener("click", () => {
        stage.captioned = true;
        stage.captions = stage.add(`<div data-tid="closed-caption-v2-virtual-list-content"></div>`);
      }); // attendee
    });
  },
  people(stage, names) {
    stage.tiles.innerHTML = names.map((name) => `<div data-tid="participant-tile" aria-label="${name}">${name}<div data-tid="voice-level-stream-outline"></div></div>`).join("");
  },
  speaks(stage, who) { // vexa
    for (const tile of stage.tiles.children) {
      tile.querySelector("[data-tid=voice-level-stream-outline]").classList.toggle("vdi-frame-occlusion", tile.getAttribute("aria-label") === who);
    }
  },
  // A virtual list of two rows, whose elements are used again.
  caption(stage, { at, who, text }) {
    const row = stage.captions.children[at % 2] ?? stage.captions.appendChild(document.createElement("div"));
    if (!row.firstChild) row.innerHTML = `<span data-tid="author"></span><div><span dir="auto" data-tid="closed-caption-text"></span></div>`;
    row.querySelector("[data-tid=author]").textContent = who;
    row.querySelector("[data-tid=closed-caption-text]").textContent = text;
  },
  left(stage) { stage.add(`<h1>You left the meeting</h1>`); },
  denied(stage) {
    stage.add(`<h1>Sorry, but you were denied access to the meeting.</h1>`); // attendee, vexa
    stage.add(`<button data-tid="calling-retry-cancelbutton">Dismiss</button>`);
  },
  removed(stage) { stage.add(`<h1 id="calling-retry-screen-title">You’ve been removed from this meeting</h1>`); }, // attendee, vexa
  ended(stage) { stage.add(`<h1>Meeting ended</h1>`); }, // vexa
  blocked(stage) { stage.add(`<h1>Sorry, we couldn’t connect you</h1>`); }, // attendee
  captcha(stage) { stage.add(`<h1>Verify you’re a real person</h1>`); }, // attendee#741
  not_found(stage) { stage.add(`<h1>Looks like the meeting URL is incorrect</h1>`); }, // attendee
  not_started(stage) { stage.add(`<h1>External participants are not permitted to join before the event begins</h1>`); }, // attendee
  sign_in(stage) { stage.add(`<h1>You need to be signed in to Teams to access this meeting</h1>`); }, // attendee
  unknown(stage) { stage.add(`<h1>Something entirely new</h1>`); },
};

begin({ room: location.pathname.split("/").filter(Boolean).pop(), states });
