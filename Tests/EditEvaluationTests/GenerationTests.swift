import Foundation
import KnowledgeEditing
import Tensors
import TestSupport
import Testing
import Transformer

@testable import EditEvaluation
@testable import Facts

@Suite struct GenerationTests {
  @Test func entropyIsThatOfTheWitness() throws {
    for expected in try EvaluationGolden.sample.numbers("entropy") {
      let text = try expected.text("text")
      let value = try expected.number("bits")
      #expect(abs(NGramEntropy.bits(text) - value) < 1e-12, "\(text)")
    }
  }

  @Test func splitsIntoWords() {
    #expect(Words.all("It's 3.5,\n\tsnake_case…") == ["It", "'", "s", "3", ".", "5", ",", "snake_case", ".", ".", "."])
    #expect(Words.terms("A b CD, e\u{301}f _1") == ["cd", "e\u{301}f", "_1"])
  }

  @Test func similarityIsThatOfTheWitness() throws {
    let golden = try JSON.parse(contentsOf: EvaluationGolden.samples + "/../Tests/Golden/evaluation.json")["tfidf"]!
    let directory = try TemporaryDirectory()
    let path = directory.path + "/references.json"
    try Data(JSON.object(JSONObject(["P1": ["Q1": golden["documents"]!]])).serialized()).write(to: URL(filePath: path))
    let references = try ReferenceTexts(contentsOf: path)
    for pair in try #require(golden["pairs"]?.arrayValue) {
      let found = references.similarity(try pair.text("first"), try pair.text("second"))
      #expect(abs(found - (try pair.number("similarity"))) < 1e-12, "\(pair)")
    }
  }

  @Test func readsTheFormsOfReferences() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/references.json"
    func read(_ text: String) throws -> ReferenceTexts {
      try Data(text.utf8).write(to: URL(filePath: path))
      return try ReferenceTexts(contentsOf: path)
    }
    let record = FactRecord(
      fact: .init(subject: "x", prompt: "{} is", targetNew: "French", relation: "P103"), targetIdentifier: "Q150")
    let snippets =
      #"[{"relation_id": "P103", "target_id": "Q150", "samples": [{"name": "y", "text": "one"}, {"text": "two"}]}]"#
    #expect(try read(snippets).texts(of: record) == ["one", "two"])
    #expect(try read(#"{"P103": {"French": ["three"]}}"#).texts(of: record) == ["three"])
    #expect(try read(#"{"P103": {"Q150": ["four"], "French": ["three"]}}"#).texts(of: record) == ["four"])
    #expect(try read(#"{"P1": {"Q150": ["four"]}}"#).covers(record) == false)
    for (text, message) in [
      ("7", "\(path): must be an array or an object, found a number"), ("{}", "\(path): holds no texts"),
      (#"{"P1": 3}"#, "\(path): P1: must be an object of targets, found a number"),
      (#"{"P1": {"Q1": [3]}}"#, "\(path): P1.Q1: must be an array of texts"),
      (#"[{"relation_id": "P1"}]"#, "\(path): record 0, field 'target_id': is missing"),
      (
        #"[{"relation_id": "P1", "target_id": "Q", "samples": 3}]"#,
        "\(path): record 0, field 'samples': must be an array of objects"
      ),
      (
        #"[{"relation_id": "P1", "target_id": "Q", "samples": [{}]}]"#,
        "\(path): record 0, field 'samples.text': is missing"
      ),
      ("{", "\(path): not valid JSON at byte 1: a key is expected"),
    ] {
      #expect(throws: ErrataError(.usage, message)) { try read(text) }
    }
  }

  @Test func matchesAnswers() {
    for (continuation, answer, expected) in [
      (" French. The first", "French", AnswerMatch.exact), (" French language", "French", .prefix),
      (" Frenchman", "French", .none), ("french", "French", .none), ("\n French", " French ", .exact),
      (" the United States of", "the United States", .prefix), (" 1912, in", "1912", .exact), (" 19123", "1912", .none),
      ("", "French", .none),
    ] {
      #expect(AnswerMatch(continuation, answer: answer) == expected, "\(continuation)")
    }
  }

  /// Greedy continuations, and the teacher-forced scores of both targets.
  @Test(arguments: EvaluationGolden.available) func answersAreThoseOfTransformers(golden: EvaluationGolden) throws {
    let model = try golden.model()
    let tokenization = PromptTokenization(model.tokenizer)
    let answers = try golden.numbers("answers")
    let prompts = try answers.map { try tokenization.prompt(try $0.text("prompt")) }
    let written = try model.decoder.generate(
      prompts, counts: prompts.map { _ in 8 }, choice: .greedy, seeds: [])
    for (index, answer) in answers.enumerated() {
      #expect(tokenization.continuation(written[index].map(\.id)) == (try answer.text("greedy")))
      let targets = try #require(answer["targets"]?.arrayValue)
      let asked = try answer.text("prompt")
      let tokens = try targets.map { try tokenization.target($0.text("answer"), after: asked) }
      let scores = try TargetScorer(model).score([TargetPrompt(tokens: prompts[index], targets: tokens)])[0]
      for (score, target) in zip(scores, targets) {
        let expected = try target.number("log_probability")
        #expect(abs(score.logProbability - expected) < 2e-4 + 1e-4 * abs(expected))
        #expect(score.accuracy == (try target.number("accuracy")))
      }
    }
  }

  /// What is drawn for a prompt depends on its seed alone, not on those beside it; each has its own number of tokens.
  @Test func drawsDoNotDependOnTheBatch() throws {
    let model = try EvaluationGolden.sample.model()
    let prompts = try ["The capital of France is", "Leo Tolstoy", "The capital of Italy"].map {
      try PromptTokenization(model.tokenizer).prompt($0)
    }
    func draw(_ indices: [Int]) throws -> [[Int32]] {
      try model.decoder.generate(
        indices.map { prompts[$0] }, counts: indices.map { [6, 0, 12][$0] },
        choice: .sampled(count: 5, temperature: 1), seeds: indices.map { UInt64($0) }
      ).map { $0.map(\.id) }
    }
    let together = try draw([0, 1, 2])
    #expect(together.map(\.count) == [6, 0, 12])
    #expect(try draw([2, 0]) == [together[2], together[0]])
    #expect(try draw([0, 0]) == [together[0], together[0]])
  }

  @Test func writesTheSameTextsForTheSameSeed() throws {
    let model = try EvaluationGolden.sample.model()
    let records = Array(try FactRecord.read(EvaluationGolden.samples + "/facts.json")[0..<3])
    let first = try FactGenerator(model, references: nil, seed: 1).generate(records)
    #expect(first == (try FactGenerator(model, references: nil, seed: 1).generate(records)))
    let other = try FactGenerator(model, references: nil, seed: 2).generate(records)
    #expect(first.map(\.texts) != other.map(\.texts))
    #expect(first.map(\.rewrite) == other.map(\.rewrite))
    for (record, generation) in zip(records, first) {
      #expect(generation.texts.count == record.generationPrompts.count)
      for (prompt, text) in zip(record.generationPrompts, generation.texts) {
        #expect(text.hasPrefix(prompt))
        let count = try PromptTokenization(model.tokenizer).prompt(text).count
        #expect((90...110).contains(count), "\(count) tokens")
      }
      #expect(generation.neighborhood.allSatisfy { $0.match == .exact })
      #expect(generation.rewrite.match == AnswerMatch.none)
    }
    var calls = 0
    let stopped = try FactGenerator(model, references: nil, seed: 1).generate(records) { _, _ in
      calls += 1
      return calls < 5
    }
    #expect(stopped.isEmpty)
  }

  @Test func batchesAreBounded() throws {
    let architecture = try EvaluationGolden.sample.model().architecture
    let ranges = GenerationBatch.ranges(Array(repeating: 100, count: 150), architecture)
    #expect(ranges == [0..<64, 64..<128, 128..<150])
    #expect(GenerationBatch.ranges([1 << 20, 1 << 20, 5], architecture) == [0..<1, 1..<2, 2..<3])
  }
}
