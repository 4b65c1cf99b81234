// What a Jitsi deployment's index.html and config.js set before the bundle runs.
window.config = {
  hosts: { domain: "localhost", muc: "conference.localhost" },
  bosh: "/none",
  analytics: { disabled: true },
  defaultLanguage: "en",
  disableDeepLinking: true,
  disableInviteFunctions: true,
  disableThirdPartyRequests: true,
  doNotStoreRoom: true,
  enableWelcomePage: false,
  lobby: { autoKnock: false },
  localRecording: { disable: true },
  p2p: { enabled: false },
  prejoinConfig: { enabled: true },
  requireDisplayName: true,
  startAudioMuted: 0,
  startWithVideoMuted: true,
  testing: { testMode: false },
};
window.interfaceConfig = {
  APP_NAME: "Jitsi Meet",
  DEFAULT_LOGO_URL: "",
  DEFAULT_WELCOME_PAGE_LOGO_URL: "",
  DISPLAY_WELCOME_FOOTER: false,
  FILM_STRIP_MAX_HEIGHT: 120,
  JITSI_WATERMARK_LINK: "",
  NATIVE_APP_NAME: "Jitsi Meet",
  PROVIDER_NAME: "Jitsi",
  SETTINGS_SECTIONS: ["devices", "language", "moderator", "profile"],
  TILE_VIEW_MAX_COLUMNS: 5,
  VIDEO_LAYOUT_FIT: "both",
};
window.loggingConfig = { defaultLogLevel: "info" };
window.indexLoadedTime = performance.now();
// Translations load before the store exists, and the loader dispatches to it.
window.APP = { store: { dispatch() {} } };
window.process ??= { env: {} };
