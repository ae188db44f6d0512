// What every Node script here shares: its job, the questions and their answers, and one line of JSON per feature.
// A client is an object: `name` as the roster has it, `package` as its registry has it, and a function per feature.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'

const job = JSON.parse(process.argv[2])

export const url = job.url
export const questions = job.questions
export const image = `data:${questions.images.media_type};base64,${questions.images.data}`

/** The words with the model's name in their place. */
export const by = (model, words) => words.replace('{model}', model)

/** The question whose answer is left in the middle; it names the client, so that the ledger can tell whose it was. */
export const counting = (client) => questions.abort.ask.replace('{client}', client.name)

/** What the tool says to a call, if it is one of those that the models make. */
export function resultOf(name, given) {
  const { tools } = questions
  assert.equal(name, tools.name)
  assert.ok(tools.talks.some((talk) => talk.calls.some((call) => isDeepStrictEqual(call, given))), JSON.stringify(given))
  return tools.results[given.city]
}

/** The text contains all of these, or an error that shows it. */
export function has(text, ...wanted) {
  for (const piece of wanted) assert.ok(String(text).includes(piece), `"${piece}" is not in ${text}`)
}

/** The vectors are those of the model behind the gate, as far as float32 goes. */
export function sameVectors(found, model) {
  const wanted = job.vectors[model]
  assert.equal(found.length, wanted.length)
  for (const [row, mine] of found.entries()) {
    assert.equal(mine.length, wanted[row].length)
    mine.forEach((value, place) => assert.ok(Math.abs(value - wanted[row][place]) < 1e-6, `${mine} is not ${wanted[row]}`))
  }
}

/** What the work is rejected with; it must be. */
export async function rejection(work) {
  try {
    await work()
  } catch (problem) {
    return problem
  }
  assert.fail('it should have failed')
}

/** Run every feature of every client, once per model, and print a line for each. */
export async function run(...clients) {
  console.warn = console.error
  for (const client of clients) {
    const { version } = JSON.parse(readFileSync(`node_modules/${client.package}/package.json`))
    for (const [feature, work] of Object.entries(client)) {
      if (typeof work !== 'function') continue
      for (const model of feature === 'embeddings' ? job.embedding : job.chat) {
        let detail = ''
        try {
          await work.call(client, model)
        } catch (problem) {
          const place = problem.stack?.split('\n').find((line) => line.includes('_clients.mjs')) ?? ''
          detail = `${problem?.name}: ${problem?.message} (${place.trim().split('/').pop()})`
        }
        console.log(JSON.stringify({ client: client.name, version, feature, model, ok: !detail, detail }))
      }
    }
  }
  process.exit(0)
}
