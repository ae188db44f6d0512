// Ollama's own client for JavaScript: chat, generate, embed, and what it lists.

import assert from 'node:assert/strict'
import { Ollama } from 'ollama'
import { z } from 'zod'
import { by, counting, has, questions, rejection, resultOf, run, sameVectors, url } from './saying.mjs'

const { plain, streaming, tools, schema, images, embeddings, errors, broken, abort } = questions
const client = new Ollama({ host: url })
const Person = z.object({ name: z.string(), born: z.number().int() })
const tool = {
  type: 'function',
  function: { name: tools.name, description: tools.description, parameters: tools.parameters },
}
const user = (content, more = {}) => [{ role: 'user', content, ...more }]
const bare = (name) => name.replace(/:latest$/, '')

async function finish(model, talk, said) {
  const calls = said.flatMap((message) => message.tool_calls ?? []).map((call) => call.function)
  assert.deepEqual(calls.map((call) => call.arguments), talk.calls)
  const results = calls.map((call) => ({
    role: 'tool',
    tool_name: call.name,
    content: resultOf(call.name, call.arguments),
  }))
  const final = await client.chat({ model, messages: [...user(talk.ask), ...said, ...results], tools: [tool] })
  assert.equal(final.message.content, by(model, talk.answer))
}

const native = {
  name: 'ollama-js',
  package: 'ollama',

  async plain(model) {
    const chatted = await client.chat({ model, messages: user(plain.ask) })
    assert.deepEqual([chatted.message.content, chatted.done, chatted.done_reason], [by(model, plain.answer), true, 'stop'])
    assert.ok(chatted.prompt_eval_count > 0 && chatted.eval_count > 0)
    const generated = await client.generate({ model, prompt: plain.ask, system: 'Be kind.' })
    assert.equal(generated.response, by(model, plain.answer))
  },

  async streaming(model) {
    const parts = []
    for await (const part of await client.chat({ model, messages: user(streaming.ask), stream: true })) parts.push(part)
    assert.equal(parts.map((part) => part.message.content).join(''), by(model, streaming.answer))
    assert.ok(parts.length > 3 && parts.at(-1).done)
    const pieces = []
    for await (const part of await client.generate({ model, prompt: streaming.ask, stream: true })) pieces.push(part.response)
    assert.equal(pieces.join(''), by(model, streaming.answer))
  },

  async tools(model) {
    for (const talk of tools.talks) {
      const answer = await client.chat({ model, messages: user(talk.ask), tools: [tool] })
      assert.equal(answer.message.content, tools.first_words)
      await finish(model, talk, [answer.message])
    }
  },

  async tools_streamed(model) {
    for (const talk of tools.talks) {
      const said = []
      const stream = await client.chat({ model, messages: user(talk.ask), tools: [tool], stream: true })
      for await (const part of stream) said.push(part.message)
      assert.equal(said.map((message) => message.content).join(''), tools.first_words)
      await finish(model, talk, said.filter((message) => message.tool_calls))
    }
  },

  async schema(model) {
    const answer = await client.chat({ model, messages: user(schema.ask), format: z.toJSONSchema(Person) })
    assert.deepEqual(Person.parse(JSON.parse(answer.message.content)), schema.answer)
  },

  async images(model) {
    const answer = await client.chat({ model, messages: user(images.ask, { images: [images.data] }) })
    assert.equal(answer.message.content, by(model, images.answer))
  },

  async embeddings(model) {
    sameVectors((await client.embed({ model, input: embeddings.texts })).embeddings, model)
    const old = embeddings.texts.map((prompt) => client.embeddings({ model, prompt }))
    sameVectors((await Promise.all(old)).map((one) => one.embedding), model)
  },

  async errors() {
    const unknown = await rejection(() => client.chat({ model: errors.model, messages: user('x') }))
    assert.deepEqual([unknown.name, unknown.status_code], ['ResponseError', 404])
    has(unknown.error, errors.message, errors.hint)
    const options = { num_predict: 'many' }
    const wrong = await rejection(() => client.chat({ model: 'auto', messages: user('x'), options }))
    assert.deepEqual([wrong.name, wrong.status_code], ['ResponseError', 400])
    has(wrong.error, 'num_predict')
  },

  async broken_stream(model) {
    await client.chat({ model, messages: user(by(model, broken.arm)) })
    const problem = await rejection(async () => {
      for await (const _ of await client.chat({ model, messages: user(broken.ask), stream: true }));
    })
    has(problem.message, 'broke off')
  },

  async abort(model) {
    const stream = await client.chat({ model, messages: user(counting(this)), stream: true })
    const problem = await rejection(async () => {
      for await (const part of stream) if (part.message.content.includes(abort.first)) stream.abort()
    })
    assert.equal(problem.name, 'AbortError')
  },

  async models(model) {
    const names = (await client.list()).models.map((entry) => bare(entry.name))
    assert.ok(names.includes('auto') && names.includes(model), String(names))
    assert.ok((await client.show({ model })).capabilities.includes('completion'))
    await client.ps()
  },
}

await run(native)
