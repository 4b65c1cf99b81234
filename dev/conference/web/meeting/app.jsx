// The test conference's own page, made of LiveKit's ready components: prejoin, lobby, meeting, and what a host may do.
import { useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { DisconnectReason, RoomEvent } from "livekit-client";
import { LiveKitRoom, PreJoin, VideoConference, useLocalParticipant, useParticipants, useRoomContext } from "@livekit/components-react";
import { post } from "./api.js";

const room = location.pathname.split("/").filter(Boolean).pop();
const isHost = new URLSearchParams(location.search).has("host");
const serverUrl = location.origin.replace("http", "ws");

const REFUSALS = {
  sign_in: "Sign in to join this meeting",
  not_allowed: "Guests cannot join this meeting",
  no_moderator: "The meeting has not started yet",
  full: "The meeting is full",
};

function Screen({ name, title, children }) {
  return (
    <main data-testid={`screen.${name}`} style={{ padding: "3rem", textAlign: "center" }}>
      <h1>{title}</h1>
      {children}
    </main>
  );
}

// LiveKit says whether the guest may hear: this page only draws what the server decided.
function useAdmission(onAdmitted) {
  const meeting = useRoomContext();
  const { localParticipant } = useLocalParticipant();
  const [admitted, setAdmitted] = useState(false);
  useEffect(() => {
    const look = () => setAdmitted(localParticipant.permissions?.canSubscribe ?? false);
    // The first permissions come with the connection, later ones with an event of their own.
    const moments = [RoomEvent.Connected, RoomEvent.ParticipantPermissionsChanged];
    for (const moment of moments) meeting.on(moment, look);
    look();
    return () => moments.forEach((moment) => meeting.off(moment, look));
  }, [meeting, localParticipant]);
  useEffect(() => {
    if (!admitted) return;
    onAdmitted();
    localParticipant.setMicrophoneEnabled(true).catch(console.error);
  }, [admitted, localParticipant]);
  return admitted;
}

function Meeting({ onAdmitted }) {
  const admitted = useAdmission(onAdmitted);
  if (!admitted) return <Screen name="lobby" title="Asking to be let in">The host has been told that you are here.</Screen>;
  return (
    <div data-testid="screen.meeting" style={{ height: "100vh" }}>
      {isHost && <HostTools />}
      <People />
      <Captions />
      <VideoConference />
    </div>
  );
}

// Who is inside, for a page's reader.
function People() {
  const names = useParticipants().filter((it) => it.permissions?.canSubscribe).map((it) => it.name);
  return <ul data-testid="people" hidden>{names.map((name, at) => <li key={at}>{name}</li>)}</ul>;
}

// What was said, as some other participant's page tells it: `say(id, text)` in a page's console. A caption may grow.
function Captions() {
  const meeting = useRoomContext();
  const [captions, setCaptions] = useState({});
  useEffect(() => {
    const hear = (data, who, _kind, topic) => {
      if (topic !== "captions") return;
      const { id, text } = JSON.parse(new TextDecoder().decode(data));
      setCaptions((known) => ({ ...known, [id]: { who: who?.name ?? "", text } }));
    };
    window.say = (id, text) => meeting.localParticipant.publishData(
      new TextEncoder().encode(JSON.stringify({ id, text })), { reliable: true, topic: "captions" });
    meeting.on(RoomEvent.DataReceived, hear);
    return () => meeting.off(RoomEvent.DataReceived, hear);
  }, [meeting]);
  return (
    <div data-testid="captions">
      {Object.entries(captions).map(([id, { who, text }]) => <p key={id} id={id}><b>{who}</b> <span>{text}</span></p>)}
    </div>
  );
}

function HostTools() {
  const others = useParticipants().filter((it) => !it.isLocal);
  const button = (verb, who, label) => (
    <button data-testid={`${verb}.${who.name}`} onClick={() => post(room, verb, { who: who.identity })}>{label}</button>
  );
  return (
    <aside style={{ position: "fixed", right: 0, top: 0, zIndex: 9, background: "#222", padding: "0.5rem" }}>
      {others.map((who) => (
        <p key={who.identity}>
          {who.name} {!who.permissions?.canSubscribe && [button("admit", who, "Admit"), button("deny", who, "Deny")]}
          {button("remove", who, "Remove")}
        </p>
      ))}
      <button data-testid="end" onClick={() => post(room, "end")}>End the meeting for all</button>
    </aside>
  );
}

function goodbye(reason, wasInside) {
  switch (reason) {
    case DisconnectReason.PARTICIPANT_REMOVED:
      return wasInside ? "You were removed from the meeting" : "Your request to join was denied";
    case DisconnectReason.ROOM_DELETED:
      return "The meeting has ended";
    case DisconnectReason.CLIENT_INITIATED:
      return "You left the meeting";
    default:
      return `The connection was lost (${DisconnectReason[reason] ?? reason})`;
  }
}

function Password({ wrong, onSubmit }) {
  const submit = (event) => { event.preventDefault(); onSubmit(new FormData(event.target).get("password")); };
  return (
    <Screen name="password" title="This meeting asks for a passcode">
      {wrong && <p role="alert">The passcode is wrong</p>}
      <form onSubmit={submit}>
        <input type="password" name="password" aria-label="Passcode" />
        <button type="submit">Continue</button>
      </form>
    </Screen>
  );
}

function App() {
  const [name, setName] = useState(null);
  const [asked, setAsked] = useState(null); // the passcode's state: null, "missing" or "wrong"
  const [ticket, setTicket] = useState(null);
  const [gone, setGone] = useState(null);
  const wasInside = useRef(false);

  const ask = async (who, password) => {
    const answer = await post(room, "join", { name: who, password, host: isHost });
    if (answer.refused === "password") setAsked(password === undefined ? "missing" : "wrong");
    else if (answer.refused) setGone(REFUSALS[answer.refused]);
    else setTicket(answer);
  };
  if (gone) return <Screen name="gone" title={gone} />;
  if (ticket) {
    return (
      <div data-lk-theme="default" style={{ height: "100vh" }}>
        <LiveKitRoom serverUrl={serverUrl} token={ticket.token} audio={false} video={false}
                     onDisconnected={(reason) => setGone(goodbye(reason, wasInside.current))}
                     onError={(error) => setGone(`The connection failed: ${error.message}`)}>
          <Meeting onAdmitted={() => { wasInside.current = true; }} />
        </LiveKitRoom>
      </div>
    );
  }
  if (asked) return <Password wrong={asked === "wrong"} onSubmit={(password) => ask(name, password)} />;
  return (
    <main data-testid="screen.prejoin" data-lk-theme="default" style={{ display: "grid", placeContent: "center", height: "100vh" }}>
      <PreJoin persistUserChoices={false} joinLabel="Join meeting" userLabel="Your name"
               defaults={{ videoEnabled: false, audioEnabled: false }}
               onSubmit={({ username }) => { setName(username); ask(username).catch((error) => setGone(error.message)); }} />
    </main>
  );
}

createRoot(document.getElementById("root")).render(<App />);
