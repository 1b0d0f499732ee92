import Foundation
import Tensors

extension Manifest {
  /// One corrected fact.
  public struct Fact: Sendable, Equatable {
    public var subject: String
    /// With `{}` where the subject stands (`PromptTemplate`).
    public var prompt: String
    public var targetNew: String
    public var targetTrue: String?
    public var relation: String?
    /// From where the correction comes.
    public var source: String?
    public var outcome: Outcome?

    public init(
      subject: String, prompt: String, targetNew: String, targetTrue: String? = nil, relation: String? = nil,
      source: String? = nil, outcome: Outcome? = nil
    ) {
      self.subject = subject
      self.prompt = prompt
      self.targetNew = targetNew
      self.targetTrue = targetTrue
      self.relation = relation
      self.source = source
      self.outcome = outcome
    }

    /// The first 16 hexadecimal digits of SHA-256 over subject, prompt and target_new with a zero byte between them
    /// (Spec: fact ID): the same correction has the same ID in every patch.
    public var identifier: String {
      let text = [subject, prompt, targetNew].joined(separator: "\0")
      return String(Digest(of: Array(text.utf8)).description.prefix(16))
    }
  }

  /// What an edit did to a fact, measured on the applied checkpoint.
  public struct Outcome: Sendable, Equatable {
    /// The number of updates of the value search.
    public var steps: Int?
    /// The last loss of the value search.
    public var loss: Double?
    /// The probability of a token of the new target, the geometric mean over its tokens, on the base.
    public var probabilityBefore: Double?
    /// The same with the patch.
    public var probabilityAfter: Double?
    /// How many tokens the new target has.
    public var targetTokens: Int?

    public init(
      steps: Int? = nil, loss: Double? = nil, probabilityBefore: Double? = nil, probabilityAfter: Double? = nil,
      targetTokens: Int? = nil
    ) {
      self.steps = steps
      self.loss = loss
      self.probabilityBefore = probabilityBefore
      self.probabilityAfter = probabilityAfter
      self.targetTokens = targetTokens
    }

    /// The probability of the whole target on the base; nil if it is not known.
    public var jointProbabilityBefore: Double? { joint(probabilityBefore) }
    /// The same with the patch.
    public var jointProbabilityAfter: Double? { joint(probabilityAfter) }

    private func joint(_ perToken: Double?) -> Double? {
      guard let perToken, let targetTokens else { return nil }
      return pow(perToken, Double(targetTokens))
    }
  }
}

extension Manifest.Fact {
  /// The prompt with the subject in it; as it is if it has no slot.
  public var question: String { PromptTemplate(prompt)?.filled(with: subject) ?? prompt }

  /// How messages name the fact.
  public var label: String {
    let text = "\(question) \(targetNew)"
    return "fact \"\(text.count > 160 ? text.prefix(80) + "…" + text.suffix(60) : text)\""
  }
}
