// One pass through the realtime part of supabase-js, for a signed-in user. Prints what happened as
// one JSON object. node realtime_client.cjs <vsn> <url> <key> <token> <topic>
const { createClient } = require('@supabase/supabase-js')
const [vsn, url, key, token, topic] = process.argv.slice(2)

const supabase = createClient(url, key, {
  accessToken: async () => token,
  realtime: { vsn, transport: require('ws') },
})

const subscribed = (channel) =>
  new Promise((resolve) =>
    channel.subscribe((status, error) => resolve([status, error ? error.message : null]))
  )
const plain = (value) =>
  value instanceof ArrayBuffer || ArrayBuffer.isView(value) ? [...new Uint8Array(value)] : value
const seconds = (count) => new Promise((resolve) => setTimeout(resolve, count * 1000))

async function main() {
  await supabase.realtime.setAuth()
  const said = {}
  const heard = []
  const config = { private: true, broadcast: { self: true, ack: true }, presence: { enabled: true } }
  const channel = supabase
    .channel(topic, { config })
    .on('broadcast', { event: '*' }, ({ event, payload, meta }) =>
      heard.push([event, plain(payload), meta ?? null])
    )
    .on('presence', { event: 'sync' }, () => (said.presence = channel.presenceState()))
  said.joined = await subscribed(channel)
  said.sent = await channel.send({ type: 'broadcast', event: 'json', payload: { ç: [1, null] } })
  if (vsn === '2.0.0') {
    const bytes = new Uint8Array([0, 255]).buffer
    said.sentBytes = await channel.send({ type: 'broadcast', event: 'bytes', payload: bytes })
  }
  said.posted = await channel.httpSend('posted', { over: 'http' })
  said.tracked = await channel.track({ here: true })
  for (let tries = 0; tries < 100 && heard.length < (vsn === '2.0.0' ? 3 : 2); tries++) {
    await seconds(0.05)
  }
  said.heard = heard
  const refused = supabase.channel('none:of-my-business', { config: { private: true } })
  said.refused = await subscribed(refused)
  said.removed = await supabase.removeChannel(channel)
  console.log(JSON.stringify(said))
  process.exit(0)
}

main()
