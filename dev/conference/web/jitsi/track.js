// One audio or video track, local or remote, as Jitsi's pages know it.
import { Emitter } from "./emitter.js";
import { trackEvents } from "./events.js";
import { forgiving } from "./forgiving.js";

export class JitsiTrack extends Emitter {
  constructor({ media, local, owner }) {
    super();
    Object.assign(this, { media, local, owner, kind: media.kind, muted: false, disposed: false, containers: [], home: undefined });
    this.stream = new MediaStream([media]);
    this.track = media;
    this.type = media.kind;
    this.videoType = media.kind === "video" ? "camera" : undefined;
    return forgiving(this, "track");
  }

  getType() { return this.kind; }
  isAudioTrack() { return this.kind === "audio"; }
  isVideoTrack() { return this.kind === "video"; }
  isLocal() { return this.local; }
  isLocalAudioTrack() { return this.local && this.kind === "audio"; }
  isMuted() { return this.muted; }
  isActive() { return true; }
  isEnded() { return this.media.readyState === "ended"; }
  isReceivingData() { return true; }
  isWebRTCTrackMuted() { return false; }
  getParticipantId() { return this.local ? this.home?.myUserId() ?? "local" : this.owner; }
  getSourceName() { return `${this.getParticipantId()}-${this.kind[0]}0`; }
  getVideoType() { return this.videoType; }
  getTrack() { return this.media; }
  getTrackId() { return this.media.id; }
  getId() { return this.media.id; }
  getOriginalStream() { return this.stream; }
  getDeviceId() { return this.media.getSettings().deviceId; }
  getTrackLabel() { return this.media.label; }
  getUsageLabel() { return this.kind; }
  getTrackStreamingStatus() { return "active"; }

  attach(element) {
    element.srcObject = this.stream;
    this.containers.push(element);
    return Promise.resolve();
  }
  detach(element) {
    if (element) element.srcObject = null;
    return Promise.resolve();
  }
  mute() { return this._mute(true); }
  unmute() { return this._mute(false); }
  async _mute(muted) {
    this.muted = muted;
    this.media.enabled = !muted;
    if (!muted) await this.home?._publish(this);
    this.emit(trackEvents.TRACK_MUTE_CHANGED, this);
  }
  setEffect() { return Promise.resolve(); }
  dispose() {
    this.disposed = true;
    if (this.local) this.media.stop();
    return Promise.resolve();
  }
}

export async function createLocalTracks({ devices = ["audio", "video"] } = {}) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: devices.includes("audio"), video: devices.includes("video") });
  return stream.getTracks().map((media) => new JitsiTrack({ media, local: true }));
}
