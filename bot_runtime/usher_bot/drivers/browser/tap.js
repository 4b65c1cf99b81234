// Before the page's own scripts: keeps hold of every peer connection, and mixes what the others say.
(() => {
  if (window.__usherTap) return;
  const peers = [];
  const tracks = new Set();
  const tap = (window.__usherTap = { recorder: null });
  let context = null;
  let mix = null;
  let meter = null;

  const prepare = () => {
    if (context) return;
    context = new AudioContext({ sampleRate: 48000 });
    mix = context.createMediaStreamDestination();
    meter = context.createAnalyser();
  };
  const listen = (track) => {
    prepare();
    const stream = new MediaStream([track]);
    // Chromium decodes a remote track only when an element plays it; a muted one is enough.
    const sink = new Audio();
    sink.muted = true;
    sink.srcObject = stream;
    sink.play().catch(() => {});
    const source = context.createMediaStreamSource(stream);
    source.connect(mix);
    source.connect(meter);
    tracks.add(track);
    track.addEventListener("ended", () => {
      source.disconnect();
      sink.srcObject = null;
      tracks.delete(track);
    }, { once: true });
  };

  const Native = window.RTCPeerConnection;
  if (Native) {
    window.RTCPeerConnection = new Proxy(Native, {
      construct(target, args, newTarget) {
        const peer = Reflect.construct(target, args, newTarget);
        peers.push(new WeakRef(peer));
        peer.addEventListener("track", ({ track }) => { if (track.kind === "audio") listen(track); });
        return peer;
      },
    });
  }
  const open = () => peers.map((it) => it.deref()).filter((it) => it && it.connectionState !== "closed");

  // Whether any remote audio arrives. A track is muted until it does: some servers open one long before admission.
  Object.defineProperty(tap, "hears", { get: () => [...tracks].some((track) => !track.muted) });

  // What the connections received so far: media, and the answers to connectivity checks, which go on in silence.
  tap.counters = () => Promise.all(open().map(async (peer) => {
    let received = 0;
    for (const report of (await peer.getStats()).values()) {
      if (report.type === "transport") received += report.bytesReceived ?? 0;
      if (report.type === "candidate-pair" && report.nominated) received += report.responsesReceived ?? 0;
    }
    return { state: peer.connectionState, received };
  }));

  // A name for an element that stays the same as long as the element is there.
  const keys = new WeakMap();
  let given = 0;
  tap.key = (element) => {
    if (!keys.has(element)) keys.set(element, `${++given}`);
    return keys.get(element);
  };

  // How loud it is now, as the root of the mean square.
  tap.level = () => {
    if (!meter) return 0;
    const samples = new Float32Array(meter.fftSize);
    meter.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, it) => sum + it * it, 0) / samples.length);
  };

  // Hands Opus in WebM out in slices, by `window.usherSlice`; an empty slice is the end.
  tap.record = (slice_ms, bits) => {
    prepare();
    context.resume();
    const recorder = (tap.recorder = new MediaRecorder(mix.stream, { mimeType: "audio/webm;codecs=opus", audioBitsPerSecond: bits }));
    // One after another: the last slice is still being read when `stop` fires.
    let handed = Promise.resolve();
    recorder.ondataavailable = ({ data }) => {
      handed = handed.then(async () => {
        const bytes = new Uint8Array(await data.arrayBuffer());
        let text = "";
        for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
        if (text) await window.usherSlice(btoa(text));
      });
    };
    recorder.onstop = () => { handed = handed.then(() => window.usherSlice("")); };
    recorder.start(slice_ms);
  };
  tap.stop = () => { if (tap.recorder?.state === "recording") tap.recorder.stop(); };
})();
