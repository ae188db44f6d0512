// Anthropic's own client for Node: Messages, its helper for streams, parsed output, and the counting of tokens.

import Anthropic from '@anthropic-ai/sdk'
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod'
import assert from 'node:assert/strict'
import { z } from 'zod'
import { by, counting, has, questions, rejection, resultOf, run, url } from './saying.mjs'

const { plain, streaming, tools, schema, images, errors, broken, abort } = questions
const client = new Anthropic({ baseURL: url, apiKey: 'unused' })
const Person = z.object({ name: z.string(), born: z.number().int() })
const tool = { name: tools.name, description: tools.description, input_schema: tools.parameters }
const asking = (model, content, more = {}) => ({ model, max_tokens: 2000, messages: [{ role: 'user', content }], ...more })
const textOf = (message) => message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')

async function finish(model, talk, answer) {
  assert.equal(answer.stop_reason, 'tool_use')
  assert.equal(textOf(answer), tools.first_words)
  const calls = answer.content.filter((block) => block.type === 'tool_use')
  assert.deepEqual(calls.map((call) => call.input), talk.calls)
  const results = calls.map((call) => ({
    type: 'tool_result',
    tool_use_id: call.id,
    content: resultOf(call.name, call.input),
  }))
  const messages = [
    { role: 'user', content: talk.ask },
    { role: 'assistant', content: answer.content },
    { role: 'user', content: results },
  ]
  const final = await client.messages.create({ model, max_tokens: 2000, messages, tools: [tool] })
  assert.equal(textOf(final), by(model, talk.answer))
}

const messages = {
  name: 'anthropic-node',
  package: '@anthropic-ai/sdk',

  async plain(model) {
    const answer = await client.messages.create(asking(model, plain.ask, { system: 'Be kind.' }))
    assert.equal(textOf(answer), by(model, plain.answer))
    assert.deepEqual([answer.type, answer.role, answer.stop_reason], ['message', 'assistant', 'end_turn'])
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0)
  },

  async streaming(model) {
    const pieces = []
    const stream = client.messages.stream(asking(model, streaming.ask)).on('text', (piece) => pieces.push(piece))
    const final = await stream.finalMessage()
    assert.equal(pieces.join(''), by(model, streaming.answer))
    assert.equal(textOf(final), by(model, streaming.answer))
    assert.ok(pieces.length > 3)
    assert.ok(final.usage.output_tokens > 0)
  },

  async tools(model) {
    for (const talk of tools.talks)
      await finish(model, talk, await client.messages.create(asking(model, talk.ask, { tools: [tool] })))
  },

  async tools_streamed(model) {
    for (const talk of tools.talks) {
      const stream = client.messages.stream(asking(model, talk.ask, { tools: [tool] }))
      await finish(model, talk, await stream.finalMessage())
    }
  },

  async schema(model) {
    const output_config = { format: zodOutputFormat(Person) }
    const answer = await client.messages.parse(asking(model, schema.ask, { output_config }))
    assert.deepEqual(answer.parsed_output, schema.answer)
  },

  async images(model) {
    const source = { type: 'base64', media_type: images.media_type, data: images.data }
    const content = [{ type: 'image', source }, { type: 'text', text: images.ask }]
    assert.equal(textOf(await client.messages.create(asking(model, content))), by(model, images.answer))
  },

  async errors() {
    const unknown = await rejection(() => client.messages.create(asking(errors.model, 'x')))
    assert.ok(unknown instanceof Anthropic.NotFoundError, String(unknown))
    assert.deepEqual([unknown.status, unknown.type], [404, 'not_found_error'])
    has(unknown.error.error.message, errors.message, errors.hint)
    const wrong = await rejection(() => client.messages.create(asking('auto', 'x', { max_tokens: 0 })))
    assert.ok(wrong instanceof Anthropic.BadRequestError, String(wrong))
    assert.deepEqual([wrong.status, wrong.type], [400, 'invalid_request_error'])
    has(wrong.message, 'max_tokens')
  },

  async broken_stream(model) {
    await client.messages.create(asking(model, by(model, broken.arm)))
    const problem = await rejection(() => client.messages.stream(asking(model, broken.ask)).finalMessage())
    assert.ok(problem instanceof Anthropic.APIError, String(problem))
    has(problem.message, 'broke off')
  },

  async abort(model) {
    const stream = client.messages.stream(asking(model, counting(this)))
    stream.on('text', (piece) => piece.includes(abort.first) && stream.abort())
    const problem = await rejection(() => stream.finalMessage())
    assert.ok(problem instanceof Anthropic.APIUserAbortError, String(problem))
  },

  async count_tokens(model) {
    const ask = (content) => client.messages.countTokens({ model, messages: [{ role: 'user', content }] })
    const few = await ask('Hello.')
    const many = await ask('Hello. '.repeat(50))
    assert.ok(few.input_tokens > 0 && few.input_tokens < 20, JSON.stringify(few))
    assert.ok(many.input_tokens > 50 && many.input_tokens < 300, JSON.stringify(many))
  },

  async models(model) {
    const names = []
    for await (const entry of client.models.list()) names.push(entry.id)
    assert.ok(names.includes('auto') && names.includes(model), String(names))
  },
}

await run(messages)
