// What a web page of a company does with the official client: sign in, read, listen, send.
// Prints one JSON line per step. Run with NODE_PATH at a folder that has @supabase/supabase-js and ws.
const { createClient } = require('@supabase/supabase-js')
const say = (step, value) => process.stdout.write(JSON.stringify({ [step]: value }) + '\n')

async function main([url, key, email, password, company, conversation]) {
  const supabase = createClient(url, key, { realtime: { transport: require('ws') } })
  const { error } = await supabase.auth.signInWithPassword({ email, password })
  if (error) return say('refused', error.message)
  const listed = await supabase.from('messages').select('body,company_id').order('seq')
  say('messages', listed.data ?? listed.error)
  await supabase.realtime.setAuth()
  const topic = (name) => supabase.channel(name, { config: { private: true } })
  topic(`inbox:${company}`)
    .on('broadcast', { event: 'change' }, ({ payload }) => say('heard', payload.rows[0].last_message_preview))
    .subscribe((status, error) => say('inbox', error ? error.message : status))
  process.stdin.once('data', async () => {
    const id = crypto.randomUUID()
    const sent = await supabase.rpc('send_message', { p_id: id, p_body: 'do navegador', p_conversation_id: conversation })
    say('sent', sent.data ? sent.data.status : sent.error.message)
  })
  process.stdin.on('end', () => process.exit(0))
}

main(process.argv.slice(2))
