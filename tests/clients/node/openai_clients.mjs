// OpenAI's own client for Node: Chat Completions, Responses and embeddings.

import assert from 'node:assert/strict'
import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { by, counting, has, image, questions, rejection, resultOf, run, sameVectors, url } from './saying.mjs'

const { plain, streaming, tools, schema, images, embeddings, errors, broken, abort } = questions
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused' })
const Person = z.object({ name: z.string(), born: z.number().int() })
const user = (content) => [{ role: 'user', content }]

async function refused(ask) {
  const unknown = await rejection(() => ask(errors.model, 0.5))
  assert.ok(unknown instanceof OpenAI.NotFoundError, String(unknown))
  assert.deepEqual([unknown.status, unknown.code], [404, 'model_not_found'])
  has(unknown.message, errors.message, errors.hint)
  const wrong = await rejection(() => ask('auto', 9))
  assert.ok(wrong instanceof OpenAI.BadRequestError, String(wrong))
  assert.deepEqual([wrong.status, wrong.param], [400, 'temperature'])
}

const chat = {
  name: 'openai-node, chat',
  package: 'openai',
  tool: {
    type: 'function',
    function: { name: tools.name, description: tools.description, parameters: tools.parameters },
  },

  async plain(model) {
    const answer = await client.chat.completions.create({ model, messages: user(plain.ask) })
    assert.equal(answer.choices[0].message.content, by(model, plain.answer))
    assert.equal(answer.choices[0].finish_reason, 'stop')
    assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens > 0)
  },

  async streaming(model) {
    const asked = { model, messages: user(streaming.ask), stream: true, stream_options: { include_usage: true } }
    const chunks = []
    for await (const chunk of await client.chat.completions.create(asked)) chunks.push(chunk)
    const pieces = chunks.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean)
    assert.equal(pieces.join(''), by(model, streaming.answer))
    assert.ok(pieces.length > 3)
    assert.ok(chunks.at(-1).usage.completion_tokens > 0)
  },

  async tools(model) {
    for (const talk of tools.talks) {
      const answer = await client.chat.completions.create({ model, messages: user(talk.ask), tools: [this.tool] })
      await finishChat(model, talk, answer.choices[0])
    }
  },

  async tools_streamed(model) {
    for (const talk of tools.talks) {
      const stream = client.chat.completions.stream({ model, messages: user(talk.ask), tools: [this.tool] })
      await finishChat(model, talk, (await stream.finalChatCompletion()).choices[0])
    }
  },

  async schema(model) {
    const response_format = zodResponseFormat(Person, 'Person')
    const answer = await client.chat.completions.parse({ model, messages: user(schema.ask), response_format })
    assert.deepEqual(answer.choices[0].message.parsed, schema.answer)
  },

  async images(model) {
    const content = [
      { type: 'text', text: images.ask },
      { type: 'image_url', image_url: { url: image } },
    ]
    const answer = await client.chat.completions.create({ model, messages: user(content) })
    assert.equal(answer.choices[0].message.content, by(model, images.answer))
  },

  async embeddings(model) {
    const packed = await client.embeddings.create({ model, input: embeddings.texts })
    sameVectors(packed.data.map((item) => item.embedding), model)
    const floats = await client.embeddings.create({ model, input: embeddings.texts, encoding_format: 'float' })
    sameVectors(floats.data.map((item) => item.embedding), model)
  },

  async errors() {
    await refused((model, temperature) => client.chat.completions.create({ model, temperature, messages: user('x') }))
  },

  async broken_stream(model) {
    await client.chat.completions.create({ model, messages: user(by(model, broken.arm)) })
    const problem = await rejection(async () => {
      const asked = { model, messages: user(broken.ask), stream: true }
      for await (const _ of await client.chat.completions.create(asked));
    })
    assert.ok(problem instanceof OpenAI.APIError, String(problem))
    has(problem.message, 'broke off')
  },

  async abort(model) {
    const asked = { model, messages: user(counting(this)), stream: true }
    const stream = await client.chat.completions.create(asked)
    for await (const chunk of stream)
      if (chunk.choices[0]?.delta.content?.includes(abort.first)) return stream.controller.abort()
    assert.fail('it never counted')
  },

  async models(model) {
    const names = []
    for await (const entry of client.models.list()) names.push(entry.id)
    assert.ok(names.includes('auto') && names.includes(model), String(names))
  },
}

async function finishChat(model, talk, choice) {
  assert.equal(choice.finish_reason, 'tool_calls')
  assert.equal(choice.message.content, tools.first_words)
  const calls = choice.message.tool_calls.map((call) => ({ ...call, given: JSON.parse(call.function.arguments) }))
  assert.deepEqual(calls.map((call) => call.given), talk.calls)
  const results = calls.map(({ id, function: { name }, given }) => ({
    role: 'tool',
    tool_call_id: id,
    content: resultOf(name, given),
  }))
  const messages = [...user(talk.ask), choice.message, ...results]
  const final = await client.chat.completions.create({ model, messages, tools: [chat.tool] })
  assert.equal(final.choices[0].message.content, by(model, talk.answer))
}

const responses = {
  name: 'openai-node, responses',
  package: 'openai',
  tool: {
    type: 'function',
    name: tools.name,
    description: tools.description,
    parameters: tools.parameters,
    strict: true,
  },

  async plain(model) {
    const answer = await client.responses.create({ model, input: plain.ask, instructions: 'Be kind.' })
    assert.equal(answer.output_text, by(model, plain.answer))
    assert.equal(answer.status, 'completed')
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0)
  },

  async streaming(model) {
    const stream = client.responses.stream({ model, input: streaming.ask })
    const pieces = []
    for await (const event of stream) if (event.type === 'response.output_text.delta') pieces.push(event.delta)
    assert.equal(pieces.join(''), by(model, streaming.answer))
    assert.ok(pieces.length > 3)
    const final = await stream.finalResponse()
    assert.equal(final.output_text, by(model, streaming.answer))
  },

  async tools(model) {
    for (const talk of tools.talks)
      await finishResponses(model, talk, await client.responses.create({ model, input: talk.ask, tools: [this.tool] }))
  },

  async tools_streamed(model) {
    for (const talk of tools.talks) {
      const stream = client.responses.stream({ model, input: talk.ask, tools: [this.tool] })
      await finishResponses(model, talk, await stream.finalResponse())
    }
  },

  async schema(model) {
    const text = { format: zodTextFormat(Person, 'Person') }
    const answer = await client.responses.parse({ model, input: schema.ask, text })
    assert.deepEqual(answer.output_parsed, schema.answer)
  },

  async images(model) {
    const content = [
      { type: 'input_text', text: images.ask },
      { type: 'input_image', image_url: image, detail: 'auto' },
    ]
    const answer = await client.responses.create({ model, input: user(content) })
    assert.equal(answer.output_text, by(model, images.answer))
  },

  async errors() {
    await refused((model, temperature) => client.responses.create({ model, temperature, input: 'x' }))
  },

  async broken_stream(model) {
    await client.responses.create({ model, input: by(model, broken.arm) })
    let last
    try {
      for await (const event of await client.responses.create({ model, input: broken.ask, stream: true })) last = event
    } catch (problem) {
      assert.ok(problem instanceof OpenAI.APIError, String(problem))
      return has(problem.message, 'broke off')
    }
    assert.ok(['error', 'response.failed'].includes(last.type), JSON.stringify(last))
    has(JSON.stringify(last), 'broke off')
  },

  async abort(model) {
    const stream = await client.responses.create({ model, input: counting(this), stream: true })
    for await (const event of stream)
      if (event.type === 'response.output_text.delta' && event.delta.includes(abort.first))
        return stream.controller.abort()
    assert.fail('it never counted')
  },
}

async function finishResponses(model, talk, answer) {
  assert.equal(answer.output_text, tools.first_words)
  const calls = answer.output.filter((item) => item.type === 'function_call')
  assert.deepEqual(calls.map((call) => JSON.parse(call.arguments)), talk.calls)
  const results = calls.map((call) => ({
    type: 'function_call_output',
    call_id: call.call_id,
    output: resultOf(call.name, JSON.parse(call.arguments)),
  }))
  const input = [...user(talk.ask), ...answer.output, ...results]
  const final = await client.responses.create({ model, input, tools: [responses.tool] })
  assert.equal(final.output_text, by(model, talk.answer))
}

await run(chat, responses)
