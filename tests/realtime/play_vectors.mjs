// Plays all vectors on clients in JavaScript: node play_vectors.mjs <folder of vectors> <client.js>...
// Prints {client: {vector: null, or what is wrong}}.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, ...clients] = process.argv.slice(2)
const { play } = await import(pathToFileURL(join(folder, 'play.js')).href)
const names = (await readdir(folder)).filter((name) => name.endsWith('.json'))
const vectors = {}
for (const name of names) vectors[name.replace('.json', '')] = JSON.parse(await readFile(join(folder, name), 'utf8'))

const results = {}
for (const path of clients) {
  const client = await import(pathToFileURL(path).href)
  results[path] = {}
  for (const [name, vector] of Object.entries(vectors)) results[path][name] = fault(vector, client)
}
process.stdout.write(JSON.stringify(results))

function fault(vector, client) {
  try {
    play(vector, client)
    return null
  } catch (error) {
    return String(error.message)
  }
}
