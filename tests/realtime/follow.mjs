// Followers in JavaScript, as a web page would have them, driven line by line from a test: each has a client of its own
// and follows an inbox and every conversation that it shows. Run with NODE_PATH at a folder that has
// @supabase/supabase-js and ws; the modules of functions/realtime stand beside this file.
//
//   {"token": …}  the access token from now on     {"state": true}  answered by what each of them holds
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { Subscriber } from './subscriber.js'

const require = createRequire(import.meta.url)
const { createClient } = require('@supabase/supabase-js')
const [url, key, inbox, count, first] = process.argv.slice(2)
const PACE = { heads: 300, idleHeads: 300, retry: 50, mostRetry: 300 }
let token = first

class Follower {
  constructor() {
    const supabase = createClient(url, key, {
      accessToken: async () => token,
      realtime: { transport: require('ws'), reconnectAfterMs: () => 50 + Math.random() * 200 },
    })
    this.live = new Subscriber(supabase, PACE)
    this.scopes = new Map()
    this.follow(inbox)
  }

  follow(scope) {
    // `told` is what a screen shows that knows nothing but the changes it was given.
    const shown = { ledger: null, told: new Map() }
    this.scopes.set(scope, shown)
    shown.stop = this.live.follow(scope, (ledger, change) => {
      shown.ledger = ledger
      if (change?.reset) shown.told.clear()
      for (const row of change?.rows ?? []) {
        if (row.deleted_at != null) shown.told.delete(row.id)
        else shown.told.set(row.id, row)
      }
      if (change && scope === inbox) this.followThoseIn(shown.told)
    })
  }

  followThoseIn(conversations) {
    const wanted = new Set([inbox, ...[...conversations.keys()].map((id) => `conversation:${id}`)])
    for (const [scope, { stop }] of this.scopes) {
      if (wanted.has(scope)) continue
      stop()
      this.scopes.delete(scope)
    }
    for (const scope of wanted) if (!this.scopes.has(scope)) this.follow(scope)
  }

  get state() {
    const seen = ([scope, { ledger, told }]) => {
      const { status, epoch, version } = ledger
      return [scope, { status, epoch, version, rows: [...ledger.rows.values()], told: [...told.values()] }]
    }
    return Object.fromEntries([...this.scopes].map(seen))
  }
}

const followers = Array.from({ length: Number(count) }, () => new Follower())
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const order = JSON.parse(line)
    if (order.token) token = order.token
    if (order.state) process.stdout.write(JSON.stringify(followers.map((each) => each.state)) + '\n')
  })
  .on('close', () => process.exit(0))
