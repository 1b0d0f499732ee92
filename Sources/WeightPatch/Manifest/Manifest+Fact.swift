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
    public var kind = Kind.correct
    /// How the prompt was put to the model; nil: as plain text.
    public var form: Form?
    /// What stands between the prompt and the target; nil: a space, unless the target begins with one.
    public var separator: String?
    /// Other prompts that ask for the same, with the subject in them.
    public var paraphrases: [String] = []
    /// Prompts about other subjects, whose answers are to stay.
    public var neighbours: [Neighbour] = []
    public var outcome: Outcome?

    public enum Kind: String, Sendable, CaseIterable {
      /// The model is to say `targetNew`.
      case correct
      /// The model is no longer to say `targetNew`.
      case forget
    }

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

    /// Whether subject, prompt and target say all of it, as in format 1.
    package var isPlain: Bool { kind == .correct && form == nil && separator == nil }

    /// The first 16 hexadecimal digits of SHA-256 over subject, prompt and target_new with a zero byte between them,
    /// and, where they do not say it all, what else there is (Spec: fact ID): the same correction has the same ID in
    /// every patch.
    public var identifier: String {
      var parts = [subject, prompt, targetNew]
      if !isPlain {
        let optional = [separator, form.map(\.kind.rawValue), form?.system].map { $0.map { "=" + $0 } ?? "" }
        parts += [kind.rawValue] + optional
      }
      return String(Digest(of: Array(parts.joined(separator: "\0").utf8)).description.prefix(16))
    }
  }

  /// How a prompt is put to the model.
  public struct Form: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
      /// As the user's turn of a conversation, in the model's chat format.
      case chat
    }

    public var kind: Kind
    /// The text of the system turn; nil without one.
    public var system: String?
    /// SHA-256 of the chat template.
    public var template: Digest?
    /// The texts around the prompt; nil if only the chat template says them.
    public var turn: Turn?

    public init(kind: Kind = .chat, system: String? = nil, template: Digest? = nil, turn: Turn? = nil) {
      self.kind = kind
      self.system = system
      self.template = template
      self.turn = turn
    }
  }

  /// The user's turn as the chat format writes it: whoever has both texts can put a fact without the template.
  public struct Turn: Sendable, Equatable {
    /// From the token that begins the chat to the user's words.
    public var before: String
    /// From the end of the user's words to where the reply begins.
    public var after: String

    public init(before: String, after: String) {
      self.before = before
      self.after = after
    }
  }

  /// A prompt whose answer is to stay.
  public struct Neighbour: Sendable, Equatable {
    public var prompt: String
    /// What it is answered with.
    public var target: String?

    public init(prompt: String, target: String? = nil) {
      self.prompt = prompt
      self.target = target
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
    /// The probability of every token of the new target in its order, on the base.
    public var tokensBefore: [Double]?
    /// The same with the patch.
    public var tokensAfter: [Double]?
    /// Whether the fact holds with the patch: the target, or after `forget` another, is the likeliest at every token.
    public var holds: Bool?

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
    public var jointProbabilityBefore: Double? { tokensBefore?.reduce(1, *) ?? joint(probabilityBefore) }
    /// The same with the patch.
    public var jointProbabilityAfter: Double? { tokensAfter?.reduce(1, *) ?? joint(probabilityAfter) }

    private func joint(_ perToken: Double?) -> Double? {
      guard let perToken, let targetTokens else { return nil }
      return pow(perToken, Double(targetTokens))
    }
  }
}

extension Manifest.Fact {
  /// What stands between the prompt and the new target.
  public var joint: String { separator ?? Self.plainSeparator(before: targetNew) }

  /// What stands there if nothing else is said: a space, unless the target begins with one.
  public static func plainSeparator(before target: String) -> String {
    target.utf8.first == UInt8(ascii: " ") ? "" : " "
  }

  /// The fact with `text` between its prompt and its target; a fact in which that is what stands there anyway stays
  /// plain.
  public func separated(by text: String) -> Manifest.Fact {
    var fact = self
    fact.separator = text == Self.plainSeparator(before: targetNew) ? nil : text
    return fact
  }

  /// The prompt with the subject in it; as it is if it has no slot.
  public var question: String { PromptTemplate(prompt)?.filled(with: subject) ?? prompt }

  /// How messages name the fact.
  public var label: String {
    let text = "\(question) \(targetNew)"
    return "fact \"\(text.count > 160 ? text.prefix(80) + "…" + text.suffix(60) : text)\""
  }
}
