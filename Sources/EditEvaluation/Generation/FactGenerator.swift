import Facts
import Foundation
import KnowledgeEditing
import Tensors
import Transformer
import WeightPatch

/// What a model writes of a record when it is not told what to write.
public struct RecordGeneration: Sendable, Equatable {
  /// A prompt continued by the most likely tokens.
  public struct Answer: Sendable, Equatable {
    public let continuation: String
    /// nil if the record names no answer for the prompt.
    public let match: AnswerMatch?
  }

  public let rewrite: Answer
  public let paraphrases: [Answer]
  public let neighborhood: [Answer]
  /// The generation prompts, each with its sampled continuation.
  public let texts: [String]
  /// The mean over the texts of `NGramEntropy.bits`; nil without texts.
  public let entropy: Double?
  /// nil without texts or reference texts.
  public let referenceScore: Double?
}

/// Lets a model write: the answers to a record's prompts, greedily, and texts that begin with its generation prompts,
/// sampled.
///
/// - Answers: as many of the most likely tokens as the answer has and four more (see `AnswerMatch`).
/// - Texts: 100 tokens with the prompt, each drawn from the five most likely (kmeng01/rome, util/generate.py). Special
///   tokens are never drawn: the published code draws the end of the text like any other token and deletes its name.
public struct FactGenerator {
  private static let textLength = 100
  private static let candidateCount = 5
  private static let moreThanAnswer = 4

  private let model: LanguageModel
  private let tokenization: PromptTokenization
  private let references: ReferenceTexts?
  private let seed: UInt64

  /// - Parameter seed: of the draws; those of a record's text depend on it, the record and the text's number alone.
  public init(_ model: LanguageModel, references: ReferenceTexts?, seed: UInt64) {
    self.model = model
    tokenization = PromptTokenization(model.tokenizer)
    self.references = references
    self.seed = seed
  }

  private struct Job {
    let prompt: String
    let tokens: [Int32]
    let count: Int
    /// What a greedy continuation should begin with.
    let answer: String?
    let seed: UInt64
  }

  /// - Parameter onProgress: called with the number of records and of tokens done; false ends early, with the results
  ///   so far.
  /// - Throws: an `ErrataError` if a prompt does not fit the model, or a probability is not a number.
  public func generate(
    _ records: [FactRecord], onProgress: (_ records: Int, _ tokens: Int) -> Bool = { _, _ in true }
  ) throws -> [RecordGeneration] {
    var results: [RecordGeneration] = []
    var tokens = 0
    while results.count < records.count {
      // Records together in a batch, as many as have texts for it.
      var chunk: [FactRecord] = []
      var promptCount = 0
      while results.count + chunk.count < records.count {
        let record = records[results.count + chunk.count]
        let count = max(
          record.generationPrompts.count, 1 + record.paraphrasePrompts.count + record.neighborhoodPrompts.count)
        if !chunk.isEmpty, promptCount + count > GenerationBatch.largestCount { break }
        promptCount += count
        chunk.append(record)
      }
      guard
        let done = try generate(chunk, first: results.count, onTokens: { onProgress(results.count, tokens + $0) })
      else { break }
      results += done.generations
      tokens += done.tokens
      guard onProgress(results.count, tokens) else { break }
    }
    return results
  }

  private func generate(
    _ records: [FactRecord], first: Int, onTokens: (Int) -> Bool
  ) throws -> (generations: [RecordGeneration], tokens: Int)? {
    let answerJobs = try records.map { try self.answerJobs($0) }
    let textJobs = try records.indices.map { try self.textJobs(records[$0], number: first + $0) }
    var tokens = 0
    var isStopped = false
    let count = { (_: Int, _: GeneratedToken) -> Bool in
      tokens += 1
      isStopped = !onTokens(tokens)
      return !isStopped
    }
    let answers = try run(answerJobs.flatMap { $0 }, .greedy, ends: model.tokenizer.specialTokens, count)
    if isStopped { return nil }
    let texts = try run(
      textJobs.flatMap { $0 }, .sampled(count: Self.candidateCount, temperature: 1),
      banned: model.tokenizer.specialTokens,
      count)
    if isStopped { return nil }
    var (answer, text) = (answers[...], texts[...])
    let generations = records.indices.map { index in
      let answers = answerJobs[index].map { job in
        let continuation = answer.popFirst()!
        return RecordGeneration.Answer(
          continuation: continuation, match: job.answer.map { AnswerMatch(continuation, answer: $0) })
      }
      let texts = textJobs[index].map { Self.cleaned($0.prompt + text.popFirst()!) }
      let paraphraseCount = records[index].paraphrasePrompts.count
      return RecordGeneration(
        rewrite: answers[0], paraphrases: Array(answers[1..<1 + paraphraseCount]),
        neighborhood: Array(answers[(1 + paraphraseCount)...]), texts: texts,
        entropy: mean(texts.map { NGramEntropy.bits($0) }),
        referenceScore: references?.score(of: texts, for: records[index]))
    }
    return (generations, tokens)
  }

  /// The published cleaning of a generated text; names of special tokens do not occur.
  private static func cleaned(_ text: String) -> String {
    text.decomposedStringWithCompatibilityMapping.replacingOccurrences(of: "\n\n", with: " ")
  }

  private func answerJobs(_ record: FactRecord) throws -> [Job] {
    let fact = record.fact
    func job(_ prompt: String, _ answer: String?) throws -> Job {
      // Without an answer, what the new target would take.
      let target = try tokenization.target(answer ?? fact.targetNew, after: prompt, of: fact)
      return try self.job(
        prompt, fact, in: fact.form, count: target.count + Self.moreThanAnswer, answer: answer, seed: 0)
    }
    return try [job(fact.question, fact.targetNew)] + record.paraphrasePrompts.map { try job($0, fact.targetNew) }
      + record.neighborhoodPrompts.map { try job($0.text, $0.answer ?? fact.targetTrue) }
  }

  private func textJobs(_ record: FactRecord, number: Int) throws -> [Job] {
    try record.generationPrompts.enumerated().map { place, prompt in
      var source = RandomSource(seed: seed &+ UInt64(number) &* 0x1_0000_0001 &+ UInt64(place) << 16)
      let length = min(Self.textLength, model.decoder.maximumSequenceLength)
      let count = max(0, length - (try tokenization.prompt(prompt).count))
      // It begins a text and asks nothing, in a chat neither.
      return try job(prompt, record.fact, in: nil, count: count, answer: nil, seed: source.next())
    }
  }

  private func job(
    _ prompt: String, _ fact: Manifest.Fact, in form: Manifest.Form?, count: Int, answer: String?, seed: UInt64
  ) throws -> Job {
    let tokens = try tokenization.prompt(prompt, form: form)
    let maximum = model.decoder.maximumSequenceLength
    guard !tokens.isEmpty, tokens.count + count <= maximum else {
      throw ErrataError.scoredPromptTooLong(fact.label, tokens.count + count, maximum: maximum)
    }
    return Job(prompt: prompt, tokens: tokens, count: count, answer: answer, seed: seed)
  }

  /// The jobs' continuations.
  private func run(
    _ jobs: [Job], _ choice: TokenChoice, banned: Set<Int32> = [], ends: Set<Int32> = [],
    _ onToken: (Int, GeneratedToken) -> Bool
  ) throws -> [String] {
    var results: [String] = []
    for range in GenerationBatch.ranges(jobs.map { $0.tokens.count + $0.count }, model.architecture) {
      let batch = jobs[range]
      let generated = try model.decoder.generate(
        batch.map(\.tokens), counts: batch.map(\.count), choice: choice, seeds: batch.map(\.seed), banned: banned,
        ends: ends, onToken: onToken)
      results += generated.map { tokenization.continuation($0.map(\.id), skippingSpecialTokens: true) }
    }
    return results
  }
}
