// The names that Jitsi's pages and their library share. Those with a value of their own are compared as text somewhere.
import { names } from "./forgiving.js";

export const conferenceEvents = names("conference");
export const connectionEvents = names("connection");
export const trackEvents = names("track");
export const conferenceErrors = names("conference.error", {
  AUTH_ERROR_TYPES: names("auth"),
  AUTHENTICATION_REQUIRED: "conference.authenticationRequired",
  CONFERENCE_ACCESS_DENIED: "conference.connectionError.accessDenied",
  CONFERENCE_DESTROYED: "conference.destroyed",
  CONFERENCE_MAX_USERS: "conference.max_users",
  MEMBERS_ONLY_ERROR: "conference.connectionError.membersOnly",
  NOT_ALLOWED_ERROR: "conference.connectionError.notAllowed",
  PASSWORD_REQUIRED: "conference.passwordRequired",
});
