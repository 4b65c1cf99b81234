// Jitsi Meet's web client, started as its index.html would.
import "./globals.js";
import { JitsiMeetJS } from "./library.js";
import { forgiving } from "./forgiving.js";
import "./sdk/react/index.web.js";
import API from "./sdk/modules/API";
import UI from "./sdk/modules/UI/UI";
import translation from "./sdk/modules/translation/translation";
import { conference } from "./glue.js";

Object.assign(window.APP, {
  API: forgiving(API, "API"),
  UI: forgiving(UI, "UI"),
  conference,
  connection: null,
  debugLogs: forgiving({}, "debugLogs"),
  keyboardshortcut: forgiving({}, "keyboardshortcut"),
  translation: forgiving(translation, "translation"),
});

function start() {
  translation.init?.();
  const { entryPoints, renderEntryPoint } = JitsiMeetJS.app;
  renderEntryPoint({ Component: entryPoints.APP });
}
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
