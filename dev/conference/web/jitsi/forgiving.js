// An object that answers nothing to what it does not know, and notes that it was asked: `window.unknownCalls`.
// Jitsi's pages call far more of their library than a meeting needs.
const PASSED = new Set(["then", "toJSON"]);

export function forgiving(known, label) {
  return new Proxy(known, {
    get(target, key) {
      if (key in target || typeof key === "symbol" || PASSED.has(key)) return Reflect.get(target, key);
      return (...args) => { (window.unknownCalls ??= {})[`${label}.${key}`] = args.length; };
    },
  });
}

// A table of names in which each unknown name is itself.
export function names(prefix, exact = {}) {
  return new Proxy(exact, {
    get: (known, key) => (typeof key === "symbol" ? undefined : known[key] ?? `${prefix}.${key}`),
  });
}
