// In place of lib-jitsi-meet, which no registry holds: the same interface towards Jitsi's own pages.
import { JitsiConference } from "./conference.js";
import { Emitter } from "./emitter.js";
import { conferenceErrors, conferenceEvents, connectionEvents, trackEvents } from "./events.js";
import { forgiving, names } from "./forgiving.js";
import { createLocalTracks } from "./track.js";

class JitsiConnection extends Emitter {
  constructor() {
    super();
    this.self = forgiving(this, "connection");
    return this.self;
  }
  connect() { setTimeout(() => this.emit(connectionEvents.CONNECTION_ESTABLISHED, "local"), 0); }
  initJitsiConference(name, options) { return new JitsiConference(String(name), options, this.self); }
  disconnect() {
    this.emit(connectionEvents.CONNECTION_DISCONNECTED);
    return Promise.resolve();
  }
  getJid() { return "local@localhost/usher"; }
  getLogs() { return {}; }
}

const yes = () => true;
const no = () => false;
const browser = forgiving({
  getName: () => "chrome", getVersion: () => "156", getOS: () => "Linux",
  isChrome: yes, isChromiumBased: yes, isSupported: yes, isVersionGreaterThan: yes, supportsDeviceChangeEvent: yes,
  isElectron: no, isEngine: no, isFirefox: no, isMobileDevice: no, isReactNative: no, isSafari: no, isWebKitBased: no,
  isUserInteractionRequiredForUnmute: no, supportsInsertableStreams: no,
  supportsVideoMuteOnConnInterrupted: no, doesVideoMuteByStreamRemove: no,
}, "browser");

const mediaDevices = forgiving({
  enumerateDevices: (done) => navigator.mediaDevices.enumerateDevices().then(done),
  getAudioOutputDevice: () => "default",
  isDevicePermissionGranted: () => Promise.resolve(true),
  isDeviceChangeAvailable: no, isDeviceListAvailable: yes, isMultipleAudioInputSupported: no,
  addEventListener() {}, removeEventListener() {},
}, "mediaDevices");

export const JitsiMeetJS = forgiving({
  version: "usher", app: {}, util: { browser, ScriptUtil: { loadScript() {} } }, mediaDevices,
  errors: {
    conference: conferenceErrors, connection: names("connection.error"), track: names("gum"),
    audioTranslation: names("translation"),
  },
  events: {
    conference: conferenceEvents, connection: connectionEvents, track: trackEvents,
    connectionQuality: names("cq"), detection: names("detection"), e2eping: names("e2eping"),
    mediaDevices: names("mediaDevices"), rtcstats: names("rtcstats"),
  },
  constants: {
    iceRestartReason: names("ice"), trackStreamingStatus: names("status", { ACTIVE: "active" }), sipVideoGW: names("sip"),
    recording: forgiving({ mode: names("mode"), status: names("status"), error: names("error") }, "recording"),
    transcriptionStatus: names("transcription"),
  },
  logLevels: names("level"), analytics: forgiving({}, "analytics"), rtcstats: forgiving({}, "rtcstats"),
  init() {}, isWebRtcSupported: yes, isDesktopSharingEnabled: no, isMultipleAudioInputSupported: no, isCollectingLocalStats: no,
  runPreCallTest: () => Promise.resolve({}), getActiveAudioDevice: () => Promise.resolve({}),
  createLocalTracks, JitsiConnection,
}, "JitsiMeetJS");
window.JitsiMeetJS = JitsiMeetJS;
