// Vercel's AI SDK over OpenAI's two APIs, over the package for servers that are like OpenAI, and over Anthropic's.

import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, embedMany, generateText, Output, stepCountIs, streamText, tool } from 'ai'
import assert from 'node:assert/strict'
import { z } from 'zod'
import { by, counting, has, questions, rejection, resultOf, run, sameVectors, url } from './saying.mjs'

const { plain, streaming, tools, schema, images, embeddings, errors, broken, abort } = questions
const Person = z.object({ name: z.string(), born: z.number().int() })
const weather = tool({
  description: tools.description,
  inputSchema: z.object({ city: z.string(), days: z.number().int() }),
  execute: async (given) => resultOf(tools.name, given),
})
const quiet = { onError: () => {} }

const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: 'unused' })
const compatible = createOpenAICompatible({
  name: 'headgate',
  baseURL: `${url}/v1`,
  includeUsage: true,
  supportsStructuredOutputs: true,
})
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: 'unused' })

/** What the AI SDK does with a model of any provider. */
const features = (llm) => ({
  async plain(model) {
    const answer = await generateText({ model: llm(model), system: 'Be kind.', prompt: plain.ask })
    assert.equal(answer.text, by(model, plain.answer))
    assert.equal(answer.finishReason, 'stop')
    assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0)
  },

  async streaming(model) {
    const answer = streamText({ model: llm(model), prompt: streaming.ask })
    const pieces = []
    for await (const piece of answer.textStream) pieces.push(piece)
    assert.equal(pieces.join(''), by(model, streaming.answer))
    assert.ok(pieces.length > 3)
    assert.ok((await answer.usage).outputTokens > 0)
  },

  async tools(model) {
    for (const talk of tools.talks) {
      const asked = { model: llm(model), prompt: talk.ask, tools: { weather }, stopWhen: stepCountIs(3) }
      const answer = await generateText(asked)
      assert.deepEqual(answer.steps.map((step) => step.text), [tools.first_words, by(model, talk.answer)])
    }
  },

  async tools_streamed(model) {
    for (const talk of tools.talks) {
      const asked = { model: llm(model), prompt: talk.ask, tools: { weather }, stopWhen: stepCountIs(3) }
      const steps = await streamText(asked).steps
      assert.deepEqual(steps.map((step) => step.text), [tools.first_words, by(model, talk.answer)])
    }
  },

  async schema(model) {
    const output = Output.object({ schema: Person })
    const answer = await generateText({ model: llm(model), prompt: schema.ask, output })
    assert.deepEqual(answer.output, schema.answer)
  },

  async images(model) {
    const content = [
      { type: 'text', text: images.ask },
      { type: 'file', data: Buffer.from(images.data, 'base64'), mediaType: images.media_type },
    ]
    const answer = await generateText({ model: llm(model), messages: [{ role: 'user', content }] })
    assert.equal(answer.text, by(model, images.answer))
  },

  async errors() {
    const problem = await rejection(() => generateText({ model: llm(errors.model), prompt: 'x' }))
    assert.ok(APICallError.isInstance(problem), String(problem))
    assert.deepEqual([problem.statusCode, problem.isRetryable], [404, false])
    has(problem.message, errors.message, errors.hint)
  },

  async broken_stream(model) {
    await generateText({ model: llm(model), prompt: by(model, broken.arm) })
    const problems = []
    const answer = streamText({ model: llm(model), prompt: broken.ask, onError: ({ error }) => problems.push(error) })
    await answer.consumeStream(quiet)
    for (const problem of problems) has(problem?.message ?? JSON.stringify(problem), 'broke off')
    assert.equal(await answer.finishReason, 'error')
  },

  async abort(model) {
    const controller = new AbortController()
    let aborted = false
    const answer = streamText({
      model: llm(model),
      prompt: counting(this),
      abortSignal: controller.signal,
      onAbort: () => (aborted = true),
    })
    for await (const part of answer.fullStream)
      if (part.type === 'text-delta' && part.text.includes(abort.first)) controller.abort()
    assert.ok(aborted)
  },
})

const withEmbeddings = (provider) => ({
  async embeddings(model) {
    const answer = await embedMany({ model: provider.textEmbeddingModel(model), values: embeddings.texts })
    sameVectors(answer.embeddings, model)
  },
})

await run(
  { name: 'ai-sdk, openai', package: '@ai-sdk/openai', ...features((id) => openai(id)), ...withEmbeddings(openai) },
  { name: 'ai-sdk, openai.chat', package: '@ai-sdk/openai', ...features((id) => openai.chat(id)) },
  {
    name: 'ai-sdk, openai-compatible',
    package: '@ai-sdk/openai-compatible',
    ...features((id) => compatible(id)),
    ...withEmbeddings(compatible),
  },
  { name: 'ai-sdk, anthropic', package: '@ai-sdk/anthropic', ...features((id) => anthropic(id)) },
)
