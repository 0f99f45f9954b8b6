// The official JavaScript client, driven line by line from a test: a JSON command on standard input,
// JSON events on standard output. Run with NODE_PATH at a folder that has @supabase/realtime-js and ws.
const { RealtimeClient } = require('@supabase/realtime-js')
const say = (event) => process.stdout.write(JSON.stringify(event) + '\n')

const [url, apikey, token] = process.argv.slice(2)
const client = new RealtimeClient(url, { params: { apikey }, transport: require('ws') })
const channels = {}

const commands = {
  async join({ topic, config }) {
    if (token) await client.setAuth(token)
    channels[topic] = client
      .channel(topic, { config })
      .on('broadcast', { event: '*' }, (message) => say({ heard: message }))
      .subscribe((status, error) => say({ status, error: error ? String(error.message) : null }))
  },
  async send({ topic, event, payload }) {
    say({ sent: await channels[topic].send({ type: 'broadcast', event, payload }) })
  },
  async leave({ topic }) {
    say({ left: await client.removeChannel(channels[topic]) })
  },
}

require('readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { command, ...rest } = JSON.parse(line)
    commands[command](rest)
  })
  .on('close', () => process.exit(0))
