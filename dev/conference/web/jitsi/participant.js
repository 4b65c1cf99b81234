// Another participant, as Jitsi's pages know them.
import { forgiving } from "./forgiving.js";

export class JitsiParticipant {
  constructor({ identity, name }) {
    Object.assign(this, { identity, name });
    return forgiving(this, "participant");
  }
  getId() { return this.identity; }
  getDisplayName() { return this.name; }
  getRole() { return "none"; }
  isModerator() { return false; }
  isHidden() { return false; }
  isHiddenFromRecorder() { return false; }
  isReplacing() { return false; }
  getBotType() { return undefined; }
  getIdentity() { return undefined; }
  getProperty() { return undefined; }
  getStatus() { return undefined; }
  getSources() { return new Map(); }
  getFeatures() { return Promise.resolve(new Set()); }
  getTracks() { return []; }
  getTracksByMediaType() { return []; }
}
