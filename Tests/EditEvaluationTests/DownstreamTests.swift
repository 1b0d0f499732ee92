import Foundation
import Tensors
import TestSupport
import Testing

@testable import EditEvaluation

/// The records here are made up in the form of GLUE's.
@Suite struct DownstreamTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func write(_ text: String, _ name: String = "sst2.jsonl") throws -> String {
    let path = directory.path + "/" + name
    try Data(text.utf8).write(to: URL(filePath: path))
    return path
  }

  private func read(
    _ text: String, _ name: String = "sst2.jsonl", shots: Int = 0, seed: UInt64 = 0, limit: Int? = nil
  ) throws -> DownstreamSet {
    try DownstreamSet.read([try write(text, name)], shots: shots, seed: seed, limit: limit)[0]
  }

  private static let films = (0..<8).map { #"{"sentence": "film \#($0)", "label": \#($0 % 2)}"# }.joined(
    separator: "\n")

  @Test(arguments: [
    ("sst2", #"{"sentence": "so good", "label": 1}"#, "Review : so good\nSentiment :", true),
    (
      "mrpc", #"{"sentence1": "A.", "sentence2": "B.", "label": 0}"#,
      "Are the sentences paraphrases of each other.\nSentence 1: A.\nSentence 2: B.\nAnswer:", false
    ),
    (
      "cola", #"{"sentence": "A.", "label": 1}"#,
      "Is this sentence linguistically acceptable?\nSentence: A.\nAnswer:", true
    ),
    ("rte", #"{"sentence1": "A.", "sentence2": "B.", "label": 0}"#, "A.\nquestion: B. True or False?\nanswer:", true),
    ("rte", #"{"sentence1": "A.", "sentence2": "B.", "label": 1}"#, "A.\nquestion: B. True or False?\nanswer:", false),
    (
      "nli", #"{"sentence1": "A.", "sentence2": "B.", "label": "not_entailment"}"#,
      "A. entails the B. True or False? answer:", false
    ),
    (
      "nli", #"{"sentence1": "A.", "sentence2": "B.", "label": "entailment"}"#,
      "A. entails the B. True or False? answer:", true
    ),
  ])
  func prompts(task: String, record: String, prompt: String, isPositive: Bool) throws {
    let question = try #require(try read(record, task + ".jsonl").questions.first)
    #expect(question.prompt == prompt)
    #expect(question.isPositive == isPositive)
  }

  @Test func examplesAreDrawnFromBothLabels() throws {
    let set = try read(Self.films, shots: 3)
    #expect(set.examples.map(\.isPositive) == [true, false, true])
    #expect(set.questions.count == 5)
    #expect(Set(set.questions.map(\.record)).isDisjoint(with: set.examples.map(\.record)))
    let first = set.examples[0]
    #expect(set.context.hasPrefix("Review : film \(first.record)\nSentiment : positive\nReview : film "))
    #expect(set.context.hasSuffix("\nSentiment : positive\n"))
    #expect(try read(Self.films, shots: 3).examples.map(\.record) == set.examples.map(\.record))
    let other = try (1...8).map { try read(Self.films, shots: 3, seed: $0).examples.map(\.record) }
    #expect(Set(other).count > 1)
    #expect(try read(Self.films, shots: 0, limit: 2).questions.map(\.record) == [0, 1])
  }

  @Test func figuresAreThoseOfTheWitness() throws {
    for expected in try EvaluationGolden.sample.numbers("figures") {
      let labels = try #require(expected["labels"]?.arrayValue).map { $0.integerValue! }
      let answers = try #require(expected["answers"]?.arrayValue).map { $0.integerValue! }
      var confusion = Confusion(classCount: 3)
      for (label, answer) in zip(labels, answers) { confusion.count(label: label, answer: answer) }
      #expect(abs(confusion.accuracy - (try expected.number("accuracy"))) < 1e-12)
      #expect(abs(confusion.weightedF1 - (try expected.number("f1"))) < 1e-12, "\(labels) \(answers)")
      #expect(abs(confusion.correlation - (try expected.number("mcc"))) < 1e-12, "\(labels) \(answers)")
    }
  }

  /// For a mean, the jackknife is the standard error of the mean.
  @Test func standardErrorOfAccuracy() throws {
    var confusion = Confusion(classCount: 2)
    for (label, answer) in [(1, 1), (1, 0), (0, 0), (0, 0), (1, 1)] { confusion.count(label: label, answer: answer) }
    let metric = confusion.metric("accuracy", \.accuracy)
    let expected = try #require(Metric("accuracy", meanOf: [1, 0, 1, 1, 1], scale: 100))
    #expect(abs(metric.value - expected.value) < 1e-12)
    #expect(abs(metric.standardError! - expected.standardError!) < 1e-12)
    #expect(metric.count == 5)
  }

  @Test func findsTheAnswerThatIsWrittenFirst() {
    #expect(DownstreamTask.mrpc.answer(in: " Yes, not No") == true)
    #expect(DownstreamTask.mrpc.answer(in: " No. Yes") == false)
    #expect(DownstreamTask.mrpc.answer(in: " perhaps") == nil)
  }

  /// The scorer's probabilities are those of the two prompts scored by themselves, whatever shares a pass with them.
  @Test func answersDoNotDependOnTheOthers() throws {
    let model = try EvaluationGolden.sample.model()
    let scorer = DownstreamScorer(model, writes: true)
    let all = try scorer.score(try read(Self.films, shots: 2))
    #expect(all.answers.count == 6)
    #expect(
      all.metrics.map(\.name) == [
        "accuracy", "F1", "MCC", "written accuracy", "written F1", "written MCC", "invalid",
      ])
    let first = try scorer.score(try read(Self.films, shots: 2, limit: 1)).answers[0]
    #expect(abs(first.probabilityPositive / all.answers[0].probabilityPositive - 1) < 1e-4)
    #expect(abs(first.probabilityNegative / all.answers[0].probabilityNegative - 1) < 1e-4)
    #expect(first.continuation == all.answers[0].continuation)
    #expect(try DownstreamScorer(model, writes: false).score(try read(Self.films)).metrics.count == 3)
  }

  @Test func errors() throws {
    let path = directory.path + "/sst2.jsonl"
    func fails(_ category: ErrataError.Kind, _ message: String, _ body: () throws -> Void) {
      #expect(throws: ErrataError(category, message), performing: body)
    }
    fails(.usage, "\(path): record 0 (line 1), field 'label': must be 0 or 1") {
      _ = try read(#"{"sentence": "x", "label": 2}"#)
    }
    fails(.usage, "\(path): record 0 (line 1), field 'label': is missing") { _ = try read(#"{"sentence": "x"}"#) }
    fails(.usage, "\(path): record 1 (line 2), field 'sentence': is missing") {
      _ = try read(#"{"sentence": "x", "label": 1}"# + "\n" + #"{"label": 1}"#)
    }
    fails(
      .usage,
      "\(directory.path)/nli.jsonl: record 0 (line 1), field 'label': must be 0, 1, \"entailment\" or "
        + "\"not_entailment\""
    ) { _ = try read(#"{"sentence1": "x", "sentence2": "y", "label": "?"}"#, "nli.jsonl") }
    fails(
      .usage, "\(path): 8 of its 8 records as examples leave too few with either label; take fewer"
    ) { _ = try read(Self.films, shots: 8) }
    fails(.usage, "\(path): holds no records") { _ = try read("") }
    let names = "sst2.jsonl, mrpc.jsonl, cola.jsonl, rte.jsonl, nli.jsonl"
    fails(
      .usage, "\(directory.path)/qqp.jsonl: no task is known by this name; a file is named for its task: \(names)"
    ) { _ = try read("{}", "qqp.jsonl") }
    let empty = try TemporaryDirectory()
    fails(.general, "\(empty.path): has none of the files \(names)") {
      _ = try DownstreamSet.read([empty.path], shots: 0, seed: 0, limit: nil)
    }
    _ = try write(Self.films)
    fails(.usage, "\(path): a file of the task sst2 was given already; remove one of them") {
      _ = try DownstreamSet.read([path, path], shots: 0, seed: 0, limit: nil)
    }
    let long = try read(#"{"sentence": "\#(String(repeating: "long ", count: 400))", "label": 1}"#)
    let model = try EvaluationGolden.sample.model()
    do {
      _ = try DownstreamScorer(model, writes: false).score(long)
      Issue.record("a prompt longer than the model's positions was taken")
    } catch let error as ErrataError {
      let pattern =
        #/\S+: record 0: its prompt, with examples and answer [0-9]+ tokens, is longer than the model's 256 positions; take fewer examples, or remove the record/#
      #expect(error.message.wholeMatch(of: pattern) != nil, "\(error.message)")
    }
  }
}
