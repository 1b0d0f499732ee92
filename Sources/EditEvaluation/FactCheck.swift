import Facts
import KnowledgeEditing
import Tensors
import WeightPatch

/// What is known of facts before they are edited: how the model takes them, what it says now, and which of them do not
/// go together.
public struct FactCheck {
  /// What was found of one fact.
  public struct Finding: Sendable {
    public let record: FactRecord
    /// The texts of the prompt's tokens.
    public let tokens: [String]
    /// The position among them where keys are read and values written: the subject's last token.
    public let lookup: Int
    /// What stands between prompt and target.
    public let prefix: String
    public let targetTokenCount: Int
    public let verdict: FactVerdict
    /// Another way to write the target that the model finds more likely by far.
    public let otherwise: (target: String, probability: Double)?

    /// Whether there is nothing to edit.
    public var isKnown: Bool { verdict.holds }
  }

  /// Facts that name one subject; positions in `findings`.
  public struct SharedSubject: Sendable, Equatable {
    public let subject: String
    public let facts: [Int]
  }

  public let findings: [Finding]
  /// Facts for which the tokenizer has no tokens, or whose texts do not fit the model, each with what is wrong.
  public let unusable: [(record: FactRecord, error: ErrataError)]
  /// What was mended, and subjects that end within a token.
  public let notes: [String]
  public let contradictions: [Contradiction]
  /// Pairs of positions in `findings` of facts that ask the same and say the same.
  public let repeats: [[Int]]
  public let sharedSubjects: [SharedSubject]

  /// How often an edit would refuse some of the facts. Contradictions whose questions differ in how they are written
  /// are edited: two spellings of a subject are two subjects, as their tokens differ.
  public var problemCount: Int {
    func question(_ index: Int) -> ByteString { ByteString(findings[index].record.fact.question) }
    return unusable.count + repeats.count + contradictions.count { question($0.first) == question($0.second) }
  }

  /// Another spelling must be so many times as likely to be worth a word.
  private static let worthAWord = 2.0

  /// - Parameter onProgress: called with the number of facts done; false ends early, with the findings so far.
  /// - Throws: an `ErrataError` if the model computes what is not a number.
  public init(_ records: [FactRecord], _ model: LanguageModel, onProgress: (Int) -> Bool = { _ in true }) throws {
    let preflight = FactPreflight(model.tokenizer)
    let scorer = FactScorer(model)
    let tokenization = PromptTokenization(model.tokenizer)
    var usable: [FactRecord] = []
    var unusable: [(record: FactRecord, error: ErrataError)] = []
    var notes: [String] = []
    for record in records {
      do {
        notes += try preflight.notes(record)
        try scorer.check(record.fact)
        usable.append(record)
      } catch let error as ErrataError {
        unusable.append((record, error))
      }
    }
    let verdicts = try FactJudge(model).judge(usable.map(\.fact), onProgress: onProgress)
    usable = Array(usable.prefix(verdicts.count))
    let spellings = usable.map { Self.spellings($0.fact) }
    let likelihoods = try scorer.jointProbabilities(zip(usable, spellings).map { ($0.fact, $1) })
    findings = try usable.indices.map { index in
      let fact = usable[index].fact
      let prompt = try tokenization.prompt(fact)
      let best = zip(spellings[index], likelihoods[index]).max { $0.1 < $1.1 }
      let least = max(verdicts[index].jointProbability * Self.worthAWord, 0.01)
      return Finding(
        record: usable[index], tokens: prompt.tokens.map { tokenization.continuation([$0]) }, lookup: prompt.lookup,
        prefix: fact.joint,
        targetTokenCount: try tokenization.target(fact).count, verdict: verdicts[index],
        otherwise: best.flatMap { $0.1 > least ? ($0.0, $0.1) : nil })
    }
    self.unusable = unusable
    self.notes = notes
    contradictions = Contradiction.all(among: usable.map(\.fact))
    repeats = Self.repeats(usable.map(\.fact))
    sharedSubjects = Self.sharedSubjects(usable.map(\.fact))
  }

  /// What an edit of the facts costs here.
  ///
  /// - Parameter templates: the contexts; nil samples the method's usual number of them from the model.
  /// - Throws: an `ErrataError` if a fact does not fit the model.
  public func estimate(
    _ model: LanguageModel, _ settings: EditSettings, _ templates: ContextTemplates? = nil
  ) throws -> ValueSearch.Estimate? {
    let edited = findings.filter { !$0.isKnown }.map(\.record.fact)
    guard !edited.isEmpty else { return nil }
    let templates = try templates ?? ContextTemplates.sampled(from: model, for: settings)
    return try ValueSearch.estimate(edited, model, settings, templates)
  }

  /// The target with the other prefix, and with its first letter in the other case.
  private static func spellings(_ fact: Manifest.Fact) -> [String] {
    let target = fact.targetNew
    let prefix = fact.joint
    var initials = [target]
    if let first = target.first, first.isCased {
      initials.append((first.isUppercase ? first.lowercased() : first.uppercased()) + target.dropFirst())
    }
    let texts = initials.flatMap { prefix.isEmpty || prefix == " " ? [$0, " " + $0] : [prefix + $0] }
    return texts.filter { $0 != prefix + target && !target.hasPrefix(" ") }
  }

  private static func repeats(_ facts: [Manifest.Fact]) -> [[Int]] {
    var first: [[ByteString]: Int] = [:]
    return facts.indices.compactMap { index in
      let fact = facts[index]
      let key = [ByteString(fact.question), ByteString(fact.targetNew.trimmedSpaces)]
      if let earlier = first[key] { return [earlier, index] }
      first[key] = index
      return nil
    }
  }

  private static func sharedSubjects(_ facts: [Manifest.Fact]) -> [SharedSubject] {
    Dictionary(grouping: facts.indices) { ByteString(facts[$0].subject) }.values.filter { $0.count > 1 }
      .map { SharedSubject(subject: facts[$0[0]].subject, facts: $0.sorted()) }.sorted { $0.facts[0] < $1.facts[0] }
  }
}

extension String {
  fileprivate var trimmedSpaces: String { String(drop { $0 == " " }) }
}
