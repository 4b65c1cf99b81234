// Events, under each of the names by which Jitsi's pages subscribe. No private fields: instances are wrapped in proxies.
export class Emitter {
  _listeners = new Map();
  on(name, listener) {
    if (!this._listeners.has(name)) this._listeners.set(name, []);
    this._listeners.get(name).push(listener);
    return () => this.off(name, listener);
  }
  off(name, listener) {
    this._listeners.set(name, (this._listeners.get(name) ?? []).filter((it) => it !== listener));
  }
  addEventListener(name, listener) { return this.on(name, listener); }
  removeEventListener(name, listener) { this.off(name, listener); }
  addListener(name, listener) { return this.on(name, listener); }
  removeListener(name, listener) { this.off(name, listener); }
  emit(name, ...args) { for (const listener of [...(this._listeners.get(name) ?? [])]) listener(...args); }
}
