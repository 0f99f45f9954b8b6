/**
 * Follow scopes and never be wrong about them for long: ledgers kept true by broadcasts, syncs and
 * heads checks. Works, only slower, when no broadcast ever arrives. Needs nothing but a supabase-js
 * client with a signed-in user, in a browser or in Node, and ledger.js beside this file.
 */

import { Ledger, parseAnswer, parseEvent } from './ledger.js'

/** @typedef {import('./ledger.js').Change} Change */
/**
 * Called after each change, and with null when only the status changed.
 * @typedef {(ledger: Ledger, change: Change | null) => void} Listener
 */
/**
 * What is used of a supabase-js client.
 * @typedef {object} Supabase
 * @property {(topic: string, options?: any) => any} channel
 * @property {(channel: any) => Promise<any>} removeChannel
 * @property {(name: string, params?: any) => any} rpc
 * @property {{ setAuth: () => Promise<void> }} realtime
 */
/**
 * Milliseconds. Heads are compared at the faster pace for a minute after a change.
 * @typedef {typeof PACE} Pace
 */

const PACE = { heads: 10_000, idleHeads: 30_000, retry: 500, mostRetry: 15_000 }
const SYNC_LIMIT = 200 // rows asked for at once
const RPC_MS = 10_000
const ACTIVE_MS = 60_000

/** Follows scopes for whoever wants them; all share the client's one socket. */
export class Subscriber {
  /** @type {Map<string, Watch>} */
  #watches = new Map()
  /** @type {Map<string, Promise<void>>} topics that are being left */
  #leaving = new Map()
  #closed = false
  #changedAt = -ACTIVE_MS
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer
  #awake = () => {
    if (!globalThis.document?.hidden) this.#compareHeads()
  }

  /**
   * @param {Supabase} supabase
   * @param {Partial<Pace>} [pace]
   */
  constructor(supabase, pace) {
    this.supabase = supabase
    this.pace = { ...PACE, ...pace }
    // A machine that slept has missed things and does not know it.
    globalThis.addEventListener?.('online', this.#awake)
    globalThis.document?.addEventListener('visibilitychange', this.#awake)
    this.#scheduleHeads()
  }

  /**
   * Calls `listener` at once, and whenever rows or status of the scope change, until the function
   * that it answers is called. A scope is `inbox:<company id>` or `conversation:<conversation id>`.
   * @param {string} scope
   * @param {Listener} listener
   * @returns {() => void}
   */
  follow(scope, listener) {
    if (this.#closed) throw new Error('this subscriber is closed')
    const watch = this.#watches.get(scope) ?? this.#start(scope)
    const entry = { listener }
    watch.listeners.add(entry)
    tell(entry, watch.ledger, null)
    return () => {
      if (watch.listeners.delete(entry) && !watch.listeners.size) this.#end(watch)
    }
  }

  /** Ends everything; the client stays the caller's. */
  async close() {
    this.#closed = true
    clearTimeout(this.#timer)
    globalThis.removeEventListener?.('online', this.#awake)
    globalThis.document?.removeEventListener('visibilitychange', this.#awake)
    for (const watch of this.#watches.values()) this.#end(watch)
    await Promise.all(this.#leaving.values())
  }

  /** @param {string} scope */
  #start(scope) {
    const watch = new Watch(this.supabase, scope, this.pace, () => (this.#changedAt = performance.now()))
    this.#watches.set(scope, watch)
    // Until a topic is left, the client hands out its old channel.
    watch.join(this.#leaving.get(scope))
    return watch
  }

  /** @param {Watch} watch */
  #end(watch) {
    const { scope } = watch.ledger
    this.#watches.delete(scope)
    const left = watch.leave().then(() => {
      if (this.#leaving.get(scope) === left) this.#leaving.delete(scope)
    })
    this.#leaving.set(scope, left)
  }

  #scheduleHeads() {
    const active = performance.now() - this.#changedAt < ACTIVE_MS
    const period = active ? this.pace.heads : this.pace.idleHeads
    // Not all clients at once.
    this.#timer = setTimeout(() => {
      this.#scheduleHeads()
      this.#awake()
    }, period * (0.8 + Math.random() * 0.4))
  }

  /** Finds what no event betrays: the loss of a scope's last event. */
  async #compareHeads() {
    /** @type {Record<string, { ver: number, epoch: string | null }>} */
    const known = {}
    for (const [scope, { ledger }] of this.#watches) known[scope] = { ver: ledger.version, epoch: ledger.epoch }
    if (!this.#watches.size) return
    try {
      const heads = await call(this.supabase, 'sync_heads', { p_scopes: known })
      for (const [scope, head] of Object.entries(heads)) this.#watches.get(scope)?.compare(known[scope], head)
    } catch {
      // The next one comes.
    }
  }
}

/** One followed scope: its ledger, its channel, and the syncs that the ledger asks for. */
class Watch {
  /** @type {Set<{ listener: Listener }>} */
  listeners = new Set()
  /** @type {any} */
  #channel = null
  #ended = false
  #joinFailures = 0
  #syncFailures = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #syncTimer
  #retryAt = 0

  /**
   * @param {Supabase} supabase
   * @param {string} scope
   * @param {Pace} pace
   * @param {() => void} onChange
   */
  constructor(supabase, scope, pace, onChange) {
    this.supabase = supabase
    this.pace = pace
    this.onChange = onChange
    this.ledger = new Ledger(scope)
    this.told = this.ledger.status
  }

  /** @param {Promise<void>} [before] */
  async join(before) {
    await before
    await this.#renewToken()
    if (this.#ended) return
    const config = { private: true, broadcast: { replication_ready: true } }
    const channel = (this.#channel = this.supabase.channel(this.ledger.scope, { config }))
    channel
      .on('broadcast', { event: 'change' }, (/** @type {any} */ { payload }) => this.#received(payload))
      // "Replication connection established": what was committed before it is not delivered.
      .on('system', {}, () => this.#joined())
      .subscribe((/** @type {string} */ status) => channel === this.#channel && this.#stands(status))
  }

  async leave() {
    this.#ended = true
    clearTimeout(this.#syncTimer)
    const channel = this.#channel
    this.#channel = null
    if (channel) await this.supabase.removeChannel(channel).catch(() => {})
  }

  /**
   * The server's head, when nothing has moved since the question.
   * @param {{ ver: number, epoch: string | null } | undefined} known
   * @param {any} head
   */
  compare(known, head) {
    if (known?.epoch !== this.ledger.epoch || known?.ver !== this.ledger.version) return
    this.ledger.head(head.epoch, head.ver)
    this.#go(null)
  }

  /** @param {string} status */
  #stands(status) {
    if (status === 'SUBSCRIBED') return this.#joined()
    this.ledger.left()
    this.#go(null)
    if (status !== 'CLOSED') {
      // The client joins again by itself; it must not do so with a token that has expired.
      this.#renewToken()
    } else if (!this.#ended) {
      // For the client a closed channel is over: another one follows.
      this.#channel = null
      setTimeout(() => this.join(), backoff(this.pace, this.#joinFailures++))
    }
  }

  #joined() {
    this.#joinFailures = 0
    this.ledger.joined()
    this.#go(null)
  }

  async #renewToken() {
    try {
      await this.supabase.realtime.setAuth()
    } catch {
      // Joining with the token at hand says what is wrong.
    }
  }

  /** @param {unknown} payload */
  #received(payload) {
    let change = null
    try {
      const event = parseEvent(payload)
      if (event.scope !== this.ledger.scope) throw new TypeError('an event of another scope')
      change = this.ledger.event(event, performance.now())
    } catch {
      this.ledger.distrust()
    }
    this.#go(change)
  }

  /**
   * After whatever happened: sync when the ledger wants it, and tell the listeners.
   * @param {Change | null} change
   */
  #go(change) {
    if (this.#ended) return
    this.#syncWhenWanted()
    const { status } = this.ledger
    if (!change?.reset && !change?.rows.length) change = null
    if (change) this.onChange()
    if (!change && status === this.told) return
    this.told = status
    for (const entry of this.listeners) tell(entry, this.ledger, change)
  }

  #syncWhenWanted() {
    clearTimeout(this.#syncTimer)
    const now = performance.now()
    const request = now < this.#retryAt ? null : this.ledger.nextSync(now)
    if (request) {
      this.#sync(request)
    } else {
      const at = Math.max(this.#retryAt, this.ledger.wakesAt ?? 0)
      if (at > now) this.#syncTimer = setTimeout(() => this.#go(null), at - now)
    }
  }

  /** @param {{ after: number, epoch: string | null }} request */
  async #sync({ after, epoch }) {
    const [kind, id] = this.ledger.scope.split(':')
    const params = { p_id: id, p_after: after, p_epoch: epoch, p_limit: SYNC_LIMIT }
    let change = null
    try {
      const answer = parseAnswer(await call(this.supabase, `sync_${kind}`, params))
      this.#syncFailures = 0
      change = this.ledger.answer(answer, performance.now())
    } catch {
      this.ledger.failed()
      this.#retryAt = performance.now() + backoff(this.pace, this.#syncFailures++)
    }
    this.#go(change)
  }
}

/**
 * @param {Supabase} supabase
 * @param {string} name
 * @param {object} params
 */
async function call(supabase, name, params) {
  const { data, error } = await supabase.rpc(name, params).abortSignal(AbortSignal.timeout(RPC_MS))
  if (error) throw error
  return data
}

/**
 * Full jitter: between nothing and a ceiling that doubles with each failure in a row.
 * @param {Pace} pace
 * @param {number} failures
 */
function backoff(pace, failures) {
  return Math.random() * Math.min(pace.mostRetry, pace.retry * 2 ** failures)
}

/**
 * A listener that throws is heard of like any uncaught error, and disturbs nobody else.
 * @param {{ listener: Listener }} entry
 * @param {Ledger} ledger
 * @param {Change | null} change
 */
function tell({ listener }, ledger, change) {
  try {
    listener(ledger, change)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
