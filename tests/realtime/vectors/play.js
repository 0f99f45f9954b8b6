/**
 * Plays a vector on a client of ledger/1, in Node or in a browser; throws where the client does
 * something else. README.md says what the words of a vector mean.
 *
 * @param {any} vector
 * @param {{ Ledger: any, parseEvent: (payload: any) => any, parseAnswer: (body: any) => any }} client
 */
export function play(vector, { Ledger, parseEvent, parseAnswer }) {
  const ledger = new Ledger(vector.scope)
  let now = 0

  /** @type {Record<string, (step: any) => any>} */
  const actions = {
    joined: () => ledger.joined(),
    left: () => ledger.left(),
    failed: () => ledger.failed(),
    head: ({ head }) => ledger.head(head.epoch, head.ver),
    sync: ({ expect }) => same('the sync', ledger.nextSync(now), expect),
    answer: ({ answer }) => ledger.answer(parseAnswer(answer), now),
    event({ event }) {
      let read
      try {
        read = parseEvent(event)
      } catch {
        return ledger.distrust()
      }
      return ledger.event(read, now)
    },
  }

  vector.steps.forEach((/** @type {any} */ step, /** @type {number} */ number) => {
    now = step.at === undefined ? now : Math.round(step.at * 1000)
    const here = `step ${number} (${step.do}): `
    const change = actions[step.do](step) ?? null
    if ('emits' in step) {
      same(`${here}the rows told`, change && change.rows.map((/** @type {any} */ row) => row.id), step.emits)
      same(`${here}reset`, Boolean(change?.reset), step.reset ?? false)
    }
    if ('status' in step) same(`${here}the status`, ledger.status, step.status)
  })
  const { status, epoch, version } = ledger
  const rows = [...ledger.rows.values()].sort((a, b) => a.rev - b.rev)
  same('at the end', { status, epoch, version, rows }, vector.final)
}

/**
 * @param {string} what
 * @param {unknown} found
 * @param {unknown} expected
 */
function same(what, found, expected) {
  const [one, other] = [found, expected].map((value) => JSON.stringify(inOrder(value)))
  if (one !== other) throw new Error(`${what}: ${one}, not ${other}`)
}

/**
 * JSON with the names of its objects in order.
 * @param {any} value
 * @returns {any}
 */
function inOrder(value) {
  if (Array.isArray(value)) return value.map(inOrder)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, inOrder(value[name])]))
}
