// `APP.conference`: what stands between Jitsi's pages and a conference on the web, written from what the pages ask of it.
import { forgiving } from "./forgiving.js";
import { maybeRedirectToWelcomePage } from "./sdk/react/features/app/actions.web";
import { createConference } from "./sdk/react/features/base/conference/actions.web";
import { connect, disconnect } from "./sdk/react/features/base/connection/actions.web";
import { setAudioMuted } from "./sdk/react/features/base/media/actions";
import { trackAdded } from "./sdk/react/features/base/tracks/actions.web";
import { createLocalTracksF } from "./sdk/react/features/base/tracks/functions.web";
import { openLeaveReasonDialog } from "./sdk/react/features/conference/actions.web";
import { isPrejoinPageVisible } from "./sdk/react/features/prejoin/functions";
import { initPrejoin } from "./sdk/react/features/prejoin/functions.web";

const state = () => APP.store.getState();
const dispatch = (action) => APP.store.dispatch(action);
const room = () => state()["features/base/conference"].conference;

async function microphone() {
  try {
    return await createLocalTracksF({ devices: ["audio"] }, APP.store);
  } catch (error) {
    console.error(error);
    return [];
  }
}

export const conference = forgiving({
  roomName: undefined,
  commands: { defaults: {} },
  get _room() { return room(); },
  get membersCount() { return room()?.getParticipantCount() ?? 0; },

  async init({ roomName, shouldDispatchConnect }) {
    this.roomName = roomName;
    const tracks = await microphone();
    // Unresolved, "Join meeting" would wait for ever.
    state()["features/base/media"].initialGUMPromise?.resolve?.({ tracks, errors: {} });
    if (isPrejoinPageVisible(state())) return initPrejoin(tracks, {}, dispatch);
    for (const track of tracks) dispatch(trackAdded(track));
    if (shouldDispatchConnect) dispatch(connect()).catch(console.error);
  },
  async startConference(tracks) {
    const known = state()["features/base/tracks"].map((it) => it.jitsiTrack);
    for (const track of tracks) if (!known.includes(track)) dispatch(trackAdded(track));
    dispatch(createConference());
    for (const track of tracks) state()["features/base/conference"].joining?.addTrack?.(track);
  },
  async hangup(_feedback, title, notify) {
    await room()?.leave();
    await dispatch(disconnect());
    if (notify && title) await dispatch(openLeaveReasonDialog(title));
    dispatch(maybeRedirectToWelcomePage({ showThankYou: true }));
  },
  async leaveRoom() { await room()?.leave(); },

  isJoined: () => room()?.isJoined() ?? false,
  getMyUserId: () => room()?.myUserId(),
  isLocalId: (id) => id === "local" || id === room()?.myUserId(),
  isLocalAudioMuted: () => state()["features/base/media"].audio.muted,
  isLocalVideoMuted: () => true,
  muteAudio: (muted) => Promise.resolve(dispatch(setAudioMuted(muted))),
  getConnectionState: () => room()?.getConnectionState(),
  getParticipantById: (id) => room()?.getParticipantById(id),
  getStats: () => ({ bitrate: { download: 1 } }),
  isLowBandwidthMode: () => false,
}, "APP.conference");
