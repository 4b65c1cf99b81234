// Bundles Jitsi Meet's web client from the sources in the npm package @jitsi/react-native-sdk, unpacked as ./sdk.
import { build } from "esbuild";
import { readFile } from "node:fs/promises";

const { jitsi } = JSON.parse(await readFile("package.json", "utf8"));

// What a meeting does not need and no registry has, or what only the native apps use: an object that swallows everything.
const ABSENT = /^(@jitsi\/excalidraw|@giphy|@amplitude|@microsoft|dropbox|ts-ebml|@react-native|react-native)|^(fs|path)$/;
const NAMES = [
  "Client", "Decoder", "Dropbox", "DropboxAuth", "Encoder", "Excalidraw", "GiphyContext", "GiphyFetch", "Grid", "MainMenu",
  "Reader", "Types", "addEventListener", "createInstance", "fetch", "tools",
];
const NOTHING = `
  const primitive = () => "";
  const nothing = new Proxy(function () { return nothing; }, {
    get: (target, key) => (key === Symbol.toPrimitive ? primitive : key === "then" ? undefined : nothing),
  });
  module.exports = { __esModule: true, default: nothing };
  for (const name of ${JSON.stringify(NAMES)}) module.exports[name] = nothing;`;
const absent = {
  name: "absent",
  setup(builder) {
    builder.onResolve({ filter: ABSENT }, ({ path }) => ({ path, namespace: "absent" }));
    builder.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: NOTHING, loader: "js" }));
  },
};

// Pictures are imported as React components.
const pictures = {
  name: "pictures",
  setup(builder) {
    builder.onLoad({ filter: /\.svg$/ }, async ({ path }) => {
      const [, attributes, inner] = /<svg([^>]*)>([\s\S]*)<\/svg>/.exec(await readFile(path, "utf8"));
      const box = /viewBox="([^"]*)"/.exec(attributes)?.[1] ?? "0 0 24 24";
      const drawn = `dangerouslySetInnerHTML={{ __html: ${JSON.stringify(inner)} }}`;
      return { loader: "jsx", contents: `export default (props) => <svg width="24" height="24" viewBox=${JSON.stringify(box)} {...props} ${drawn} />;` };
    });
  },
};

await build({
  entryPoints: { app: "entry.js" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "iife",
  logLevel: "error",
  jsx: "automatic",
  conditions: ["browser"],
  mainFields: ["browser", "module", "main"],
  nodePaths: ["node_modules"],
  plugins: [absent, pictures],
  resolveExtensions: [".web.tsx", ".web.ts", ".web.js", ".tsx", ".ts", ".js", ".json"],
  loader: { ".js": "jsx", ".css": "empty", ".jpg": "dataurl", ".png": "dataurl", ".tflite": "file", ".wasm": "file" },
  define: {
    __DEV__: "false",
    global: "window",
    "process.env.DEBUG": "false",
    "process.env.JITSI_MEET_VERSION": JSON.stringify(jitsi.version),
    "process.env.NODE_ENV": '"production"',
  },
});
