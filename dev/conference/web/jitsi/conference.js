// One conference: Jitsi's interface towards its pages, LiveKit towards the network.
import { DisconnectReason, Room, RoomEvent, Track } from "livekit-client";
import { Emitter } from "./emitter.js";
import { conferenceErrors as errors, conferenceEvents as events } from "./events.js";
import { forgiving } from "./forgiving.js";
import { JitsiParticipant } from "./participant.js";
import { JitsiTrack } from "./track.js";

// What the server refuses, in the error that a real server would cause.
const REFUSALS = {
  sign_in: [errors.NOT_ALLOWED_ERROR, errors.AUTH_ERROR_TYPES.ROOM_UNAUTHENTICATED_ACCESS_DISABLED],
  not_allowed: [errors.NOT_ALLOWED_ERROR],
  no_moderator: [errors.AUTHENTICATION_REQUIRED],
  password: [errors.PASSWORD_REQUIRED],
  full: [errors.CONFERENCE_MAX_USERS],
};

async function ask(room, verb, body = {}) {
  const answer = await fetch(`/api/${room}/${verb}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

export class JitsiConference extends Emitter {
  constructor(name, options, connection) {
    super();
    Object.assign(this, {
      name, options, connection, displayName: "", role: "none", participants: new Map(), knocking: new Map(),
      localTracks: [], inside: false, room: undefined, ticket: undefined, membersOnly: false,
    });
    return forgiving(this, "conference");
  }

  // What the pages read.
  getName() { return this.name; }
  myUserId() { return this.ticket?.identity ?? "local"; }
  myLobbyUserId() { return this.myUserId(); }
  isJoined() { return this.inside; }
  isModerator() { return this.role === "moderator"; }
  getRole() { return this.role; }
  isHidden() { return false; }
  isLobbySupported() { return true; }
  isMembersOnly() { return this.membersOnly; }
  isE2EESupported() { return false; }
  isAVModerationSupported() { return false; }
  isStartAudioMuted() { return false; }
  isStartVideoMuted() { return false; }
  isP2PActive() { return false; }
  isEndConferenceSupported() { return true; }
  getParticipants() { return [...this.participants.values()]; }
  getParticipantCount() { return this.participants.size + 1; }
  getParticipantById(id) { return this.participants.get(id); }
  getLocalTracks(kind) { return this.localTracks.filter((it) => !kind || it.kind === kind); }
  getLocalAudioTrack() { return this.getLocalTracks("audio")[0]; }
  getLocalVideoTrack() { return this.getLocalTracks("video")[0]; }
  getLocalVideoTracks() { return this.getLocalTracks("video"); }
  getConnectionState() { return this.room?.state === "connected" ? "connected" : "disconnected"; }
  getConnection() { return this.connection; }
  getSupportedAudioCodecs() { return []; }
  getActivePeerConnection() { return undefined; }
  getMetadataHandler() { return { getMetadata: () => ({}), setMetadata() {} }; }
  getBreakoutRooms() { return forgiving({ isSupported: () => false, isBreakoutRoom: () => false, isFeatureEnabled: () => false }, "breakout"); }
  getPolls() { return forgiving({}, "polls"); }
  getFileSharing() { return forgiving({ isSupported: () => false }, "files"); }
  getShortTermCredentials() { return Promise.resolve(undefined); }
  getMeetingUniqueId() { return this.name; }
  getSpeakerStats() { return {}; }
  getProperty() { return undefined; }
  get connectionQuality() { return { getStats: () => ({ bitrate: { download: 1 } }) }; }
  addCommandListener() {}
  sendCommand() {}
  setDisplayName(name) { this.displayName = name ?? ""; }

  // Local tracks.
  addTrack(track) {
    if (this.localTracks.includes(track)) return Promise.resolve();
    this.localTracks.push(track);
    track.home = this;
    return this._publish(track);
  }
  removeTrack(track) {
    this.localTracks = this.localTracks.filter((it) => it !== track);
    return Promise.resolve();
  }
  async replaceTrack(old, fresh) {
    if (old) await this.removeTrack(old);
    if (fresh) await this.addTrack(fresh);
  }
  async _publish(track) {
    const known = this.room?.localParticipant.trackPublications.values() ?? [];
    if (!this.inside || track.muted || [...known].some((it) => it.track?.mediaStreamTrack === track.media)) return;
    const source = track.kind === "audio" ? Track.Source.Microphone : Track.Source.Camera;
    await this.room.localParticipant.publishTrack(track.media, { source });
  }

  // Coming in.
  async join(password) {
    try {
      const answer = await ask(this.name, "come", { name: this.displayName, password });
      if (answer.refused) return this._fail(...REFUSALS[answer.refused]);
      if (answer.members_only) return this._knockFirst();
      await this._enter(answer);
    } catch (error) {
      this._fail(errors.CONNECTION_ERROR, error.message);
    }
  }
  async joinLobby(name) {
    if (name) this.displayName = name;
    this.emit(events.LOBBY_ENTERED);
    await this._enter(await ask(this.name, "join", { name: this.displayName }));
  }
  _knockFirst() {
    this.membersOnly = true;
    this._fail(errors.MEMBERS_ONLY_ERROR, `${this.name}@lobby.localhost`, false);
  }
  _fail(error, ...params) { this.emit(events.CONFERENCE_FAILED, error, ...params); }

  async _enter(ticket) {
    this.ticket = ticket;
    this.room = new Room({ adaptiveStream: false, dynacast: false });
    this._follow(this.room);
    await this.room.connect(location.origin.replace("http", "ws"), ticket.token);
    this._look();
  }
  _follow(room) {
    room
      .on(RoomEvent.Connected, () => this._look())
      .on(RoomEvent.ParticipantPermissionsChanged, (_old, who) => (who.isLocal ? this._look() : this._meet(who)))
      .on(RoomEvent.ParticipantConnected, (who) => this._meet(who))
      .on(RoomEvent.ParticipantDisconnected, (who) => this._lose(who))
      .on(RoomEvent.TrackSubscribed, (media, _publication, who) => this._hear(media, who))
      .on(RoomEvent.TrackUnsubscribed, (media) => this.emit(events.TRACK_REMOVED, media.jitsi))
      .on(RoomEvent.ActiveSpeakersChanged, ([first]) => this._speak(first))
      .on(RoomEvent.Disconnected, (reason) => this._leave(reason));
  }
  _look() {
    if (!this.inside && this.room.localParticipant.permissions?.canSubscribe) this._joined();
  }
  _joined() {
    this.inside = true;
    this.role = this.ticket.host ? "moderator" : "participant";
    this.emit(events.CONFERENCE_JOIN_IN_PROGRESS);
    this.emit(events.CONFERENCE_JOINED);
    this.emit(events.USER_ROLE_CHANGED, this.myUserId(), this.role);
    this.emit(events.CONNECTION_ESTABLISHED);
    for (const who of this.room.remoteParticipants.values()) this._meet(who);
    for (const track of this.localTracks) this._publish(track).catch(console.error);
  }

  // Others.
  _meet(who) {
    if (!this.inside) return;
    if (!who.permissions?.canSubscribe) return this._knock(who);
    if (this.knocking.delete(who.identity)) this.emit(events.LOBBY_USER_LEFT, who.identity);
    if (this.participants.has(who.identity)) return;
    const them = new JitsiParticipant(who);
    this.participants.set(who.identity, them);
    this.emit(events.USER_JOINED, who.identity, them);
    for (const publication of who.trackPublications.values()) if (publication.track) this._hear(publication.track, who);
  }
  _knock(who) {
    if (this.knocking.has(who.identity) || !this.isModerator()) return;
    this.knocking.set(who.identity, who);
    this.emit(events.LOBBY_USER_JOINED, who.identity, who.name);
  }
  _lose(who) {
    if (this.knocking.delete(who.identity)) this.emit(events.LOBBY_USER_LEFT, who.identity);
    const them = this.participants.get(who.identity);
    if (this.participants.delete(who.identity)) this.emit(events.USER_LEFT, who.identity, them);
  }
  _hear(media, who) {
    if (!this.participants.has(who.identity) || media.jitsi) return;
    media.jitsi = new JitsiTrack({ media: media.mediaStreamTrack, local: false, owner: who.identity });
    media.jitsi.home = this;
    this.emit(events.TRACK_ADDED, media.jitsi);
  }
  _speak(speaker) {
    if (speaker && this.inside) this.emit(events.DOMINANT_SPEAKER_CHANGED, speaker.identity, [], false);
  }

  // Going out.
  _leave(reason) {
    const wasInside = this.inside;
    this.inside = false;
    if (reason === DisconnectReason.CLIENT_INITIATED) return this.emit(events.CONFERENCE_LEFT);
    if (reason === DisconnectReason.ROOM_DELETED) return this._fail(errors.CONFERENCE_DESTROYED, "The meeting has been terminated");
    if (reason !== DisconnectReason.PARTICIPANT_REMOVED) return this.emit(events.CONNECTION_INTERRUPTED);
    if (!wasInside) return this._fail(errors.CONFERENCE_ACCESS_DENIED);
    const [somebody = new JitsiParticipant({ identity: "", name: "" })] = this.participants.values();
    this.emit(events.KICKED, somebody, "", false);
  }
  async leave() { await this.room?.disconnect(); }

  // A moderator's powers.
  lobbyApproveAccess(who) { for (const id of [who].flat()) ask(this.name, "admit", { who: id }); }
  lobbyDenyAccess(id) { ask(this.name, "deny", { who: id }); }
  kickParticipant(id) { ask(this.name, "remove", { who: id }); }
  end() { return ask(this.name, "end"); }
}
