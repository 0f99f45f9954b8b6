/**
 * Protocol ledger/1 for one scope: which rows are known, up to which version, and whether that is
 * all there is. Pure, and without imports: time comes in as an argument (milliseconds of any
 * monotonic clock), nothing goes out. The same machine as ledger.py, held to the same vectors.
 *
 * Why it converges. Versions have no gaps, so an event joins on exactly when its `prev` is known;
 * what does not join on is a hole, and a hole that stays open asks for a sync. A sync answers from
 * one snapshot everything up to its `ver`. Whatever is lost, doubled or late can therefore only
 * delay a version, never skip or repeat one; and the last version, whose loss no later event
 * betrays, is found by comparing heads.
 */

/**
 * A tombstone has `deleted_at`.
 * @typedef {{ id: string, rev: number, deleted_at?: string | null, [column: string]: any }} Row
 */
/**
 * The rows that took a scope from version `prev` to `ver`; null when they were too large.
 * @typedef {{ scope: string, epoch: string, prev: number, ver: number, rows: Row[] | null }} Event
 */
/**
 * All rows changed after a version, up to `ver`; with `reset`, the newest rows instead.
 * @typedef {{ epoch: string, reset: boolean, ver: number, rows: Row[], more: boolean }} Answer
 */
/**
 * Rows to take over, in the order of `rev`, tombstones among them; with `reset` they replace all.
 * @typedef {object} Change
 * @property {string} scope
 * @property {string} epoch
 * @property {number} version
 * @property {Row[]} rows
 * @property {boolean} reset
 */
/**
 * cold: nothing is known; syncing: nothing yet, but asked for; live: all that is known to exist is
 * here; catching_up: something newer exists and is asked for; stale: the topic is not joined.
 * @typedef {'cold' | 'syncing' | 'live' | 'catching_up' | 'stale'} Status
 */

const PROTOCOL = 1
const HOLE_GRACE_MS = 250 // an event overtaken by its successor usually follows within this
const BUFFER_LIMIT = 256 // events; more means a sync is cheaper

/** `rows` by id, complete up to `version` of `epoch`. Methods may be called in any order. */
export class Ledger {
  /** @type {string | null} */
  epoch = null
  version = 0
  /** @type {Map<string, Row>} */
  rows = new Map()
  #joined = false
  #wanted = false // a sync must start
  #asked = false // a sync is under way
  /** @type {number | null} */
  #holeSince = null
  /** @type {Map<string, Event>} by epoch and version */
  #buffer = new Map()

  /** @param {string} scope */
  constructor(scope) {
    this.scope = scope
  }

  /** @returns {Status} */
  get status() {
    if (this.epoch === null) return this.#asked ? 'syncing' : 'cold'
    if (!this.#joined) return 'stale'
    return this.#wanted || this.#asked || this.#buffer.size ? 'catching_up' : 'live'
  }

  /** The topic is subscribed from now on; what happened before is to be asked for. */
  joined() {
    this.#joined = this.#wanted = true
  }

  /** The topic is no longer subscribed; the next events cannot be expected to join on. */
  left() {
    this.#joined = false
  }

  /**
   * The server's present version, as a heads check answers it.
   * @param {string} epoch
   * @param {number} version
   */
  head(epoch, version) {
    if (epoch !== this.epoch || version !== this.version) this.#wanted = true
  }

  /** Something arrived that could not be read: ask. */
  distrust() {
    this.#wanted = true
  }

  /**
   * Take an event; the change it completed, if any.
   * @param {Event} event
   * @param {number} now
   * @returns {Change | null}
   */
  event(event, now) {
    if (event.epoch === this.epoch && event.ver <= this.version) return null
    this.#buffer.set(`${event.epoch} ${event.ver}`, event)
    if (this.#buffer.size > BUFFER_LIMIT) {
      this.#buffer.clear()
      this.#wanted = true
    }
    if (this.#asked || this.epoch === null) return null // the answer decides
    if (event.epoch !== this.epoch) this.#wanted = true
    return this.#drain(now)
  }

  /**
   * Where to sync from, when a sync must start now; it then counts as begun.
   * Exactly one of `answer` and `failed` must follow.
   * @param {number} now
   * @returns {{ after: number, epoch: string | null } | null}
   */
  nextSync(now) {
    if (this.#holeSince !== null && now >= this.#holeSince + HOLE_GRACE_MS) this.#wanted = true
    if (this.#asked || !this.#wanted) return null
    this.#wanted = false
    this.#asked = true
    this.#holeSince = null
    // The answer will be younger than these events, so whatever epoch it has supersedes theirs.
    for (const [key, event] of this.#buffer) if (event.epoch !== this.epoch) this.#buffer.delete(key)
    return { after: this.version, epoch: this.epoch }
  }

  /** When `nextSync` is worth asking again although nothing happens; null for never. */
  get wakesAt() {
    return this.#holeSince === null ? null : this.#holeSince + HOLE_GRACE_MS
  }

  /** The sync brought no answer; it is still wanted. */
  failed() {
    this.#asked = false
    this.#wanted = true
  }

  /**
   * Take the answer of the sync that `nextSync` began.
   * @param {Answer} answer
   * @param {number} now
   * @returns {Change}
   */
  answer(answer, now) {
    this.#asked = false
    this.#wanted ||= answer.more
    const reset = answer.reset || answer.epoch !== this.epoch
    if (reset) {
      this.rows.clear()
      this.version = 0
      this.epoch = answer.epoch
    }
    const rows = this.#take(answer.rows)
    this.version = Math.max(this.version, answer.ver)
    // An event of another epoch came while the answer was on its way: it may be the younger one.
    for (const event of this.#buffer.values()) if (event.epoch !== this.epoch) this.#wanted = true
    const drained = this.#drain(now)
    return this.#change(drained ? newest([...rows, ...drained.rows]) : rows, reset)
  }

  /**
   * Apply every buffered event that joins on, and note whether a hole remains.
   * @param {number} now
   */
  #drain(now) {
    const before = this.version
    const rows = []
    const waiting = [...this.#buffer].filter(([, event]) => event.epoch === this.epoch)
    for (const [key, event] of waiting.sort(([, a], [, b]) => a.ver - b.ver)) {
      if (event.prev > this.version) break
      this.#buffer.delete(key)
      if (event.ver <= this.version) continue
      if (event.rows === null) {
        this.#wanted = true
      } else {
        rows.push(...this.#take(event.rows))
        this.version = event.ver
      }
    }
    const advanced = this.version !== before
    if (!this.#buffer.size) this.#holeSince = null
    else if (this.#holeSince === null || advanced) this.#holeSince = now
    return advanced ? this.#change(rows, false) : null
  }

  /**
   * Keep the rows that are newer than what is complete; older ones come from repetition.
   * @param {Row[]} rows
   */
  #take(rows) {
    const taken = rows.filter((row) => row.rev > this.version)
    for (const row of taken) {
      if (row.deleted_at != null) this.rows.delete(row.id)
      else this.rows.set(row.id, row)
    }
    return taken
  }

  /**
   * @param {Row[]} rows
   * @param {boolean} reset
   * @returns {Change}
   */
  #change(rows, reset) {
    const epoch = /** @type {string} */ (this.epoch)
    return { scope: this.scope, epoch, version: this.version, rows, reset }
  }
}

/**
 * The event in a broadcast's payload. Throws when it is no event of this protocol.
 * @param {any} payload
 * @returns {Event}
 */
export function parseEvent(payload) {
  if (payload?.v !== PROTOCOL) throw new TypeError(`unknown protocol version ${payload?.v}`)
  const { scope, epoch, prev, ver, rows } = payload
  return {
    scope: text(scope),
    epoch: text(epoch),
    prev: integer(prev),
    ver: integer(ver),
    rows: rows === null ? null : parseRows(rows),
  }
}

/**
 * The answer of a sync function. Throws when it is none.
 * @param {any} body
 * @returns {Answer}
 */
export function parseAnswer(body) {
  const { epoch, reset, ver, rows, more } = body ?? {}
  return {
    epoch: text(epoch),
    reset: Boolean(reset),
    ver: integer(ver),
    rows: parseRows(rows),
    more: Boolean(more),
  }
}

/** @param {unknown} rows */
function parseRows(rows) {
  if (!Array.isArray(rows)) throw new TypeError('not rows')
  for (const row of rows) {
    text(row?.id)
    integer(row.rev)
  }
  return byRevision(rows)
}

/** @param {unknown} value */
function text(value) {
  if (typeof value !== 'string') throw new TypeError('not a text')
  return value
}

/** @param {unknown} value */
function integer(value) {
  if (!Number.isSafeInteger(value)) throw new TypeError('not an integer')
  return /** @type {number} */ (value)
}

/**
 * The latest state of each row.
 * @param {Row[]} rows
 */
function newest(rows) {
  return byRevision([...new Map(rows.map((row) => [row.id, row])).values()])
}

/** @param {Row[]} rows */
function byRevision(rows) {
  return [...rows].sort((a, b) => a.rev - b.rev)
}
