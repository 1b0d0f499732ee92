import Facts
import KnowledgeEditing
import Tensors
import WeightPatch

/// What an edit did to prompts that nobody wrote: those of the facts, asked of other subjects. The edit of one
/// president must not give every country that president.
public struct Collateral: Sendable {
  /// A fact's prompt with another subject in it, and what a checkpoint says of it.
  public struct Case: Sendable {
    /// With the other subject, and the target of the fact whose prompt it is.
    public let fact: Manifest.Fact
    /// Whether the reply begins with that target.
    public let isTaken: Bool
    public let reply: String
  }

  /// In the order of the facts; fewer than there are prompts if the measurement was stopped.
  public let cases: [Case]

  /// Subjects that each prompt is asked of.
  static let subjectCount = 8

  /// - Parameter onProgress: called with the number of prompts done and how many there are; false ends early.
  /// - Throws: a usage error if the facts have one subject alone; an `ErrataError` if a prompt does not fit the model.
  static func measure(
    _ records: [FactRecord], _ model: LanguageModel, onProgress: (Int, Int) -> Bool
  ) throws -> Collateral {
    let asked = prompts(records.map(\.fact))
    guard !asked.isEmpty else { throw ErrataError.noOtherSubjects }
    let verdicts = try FactJudge(model).judge(asked) { onProgress($0, asked.count) }
    return Collateral(
      cases: zip(asked, verdicts).map { Case(fact: $0, isTaken: $1.holds, reply: $1.reply) })
  }

  /// Each fact's prompt with the subjects of the facts after it, and around, that ask for the same: that have its
  /// relation or its prompt. Where there are none, those of all others. Left out are subjects of which the target is
  /// said too.
  static func prompts(_ facts: [Manifest.Fact]) -> [Manifest.Fact] {
    facts.indices.flatMap { index in
      let fact = facts[index]
      let others = (facts[(index + 1)...] + facts[..<index]).filter { $0.subject != fact.subject }
      let alike = others.filter { $0.prompt == fact.prompt || ($0.relation != nil && $0.relation == fact.relation) }
      var seen = Set((alike + [fact]).filter { $0.targetNew == fact.targetNew }.map { ByteString($0.subject) })
      return (alike.isEmpty ? others : alike).map(\.subject).filter { seen.insert(ByteString($0)).inserted }
        .prefix(subjectCount).map { subject in
          var asked = Manifest.Fact(subject: subject, prompt: fact.prompt, targetNew: fact.targetNew)
          (asked.form, asked.separator) = (fact.form, fact.separator)
          return asked
        }
    }
  }

  /// `taken`, the share of prompts at which a fact's target is said of another subject, in percent; and `same`, that of
  /// replies that are another checkpoint's.
  func metrics(comparedTo base: Collateral?) -> [Metric] {
    let taken = Metric("taken", meanOf: cases.map { $0.isTaken ? 1 : 0 }, scale: 100)
    let same = base.flatMap { base in
      Metric("same", meanOf: zip(base.cases, cases).map { $0.reply == $1.reply ? 1 : 0 }, scale: 100)
    }
    return [taken, same].compactMap { $0 }
  }

  /// The cases that are taken, and were not on another checkpoint.
  public func taken(since base: Collateral) -> [Case] {
    zip(base.cases, cases).filter { !$0.isTaken && $1.isTaken }.map(\.1)
  }

  public var json: JSON {
    .array(
      cases.map {
        [
          "prompt": JSON($0.fact.question), "target_new": JSON($0.fact.targetNew), "taken": .bool($0.isTaken),
          "reply": JSON($0.reply),
        ]
      })
  }
}
