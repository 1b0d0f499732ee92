import Tensors
import Tokenization
import WeightPatch

/// What facts and a tokenizer say about each other before anything is computed.
public struct FactPreflight {
  private let tokenizer: Tokenizer
  private let tokenization: PromptTokenization

  public init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    tokenization = PromptTokenization(tokenizer)
  }

  /// - Parameter invalid: what is done about facts for which the tokenizer has no tokens.
  /// - Returns: the facts that can be edited, and a note for each that was mended and for each whose subject shares its
  ///   last token with what follows it in the prompt: there the edit is written at a token that stands for more than
  ///   the subject.
  /// - Throws: an `ErrataError` as `invalid` does.
  public func check(
    _ records: [FactRecord], in path: String, invalid: InvalidRecords = .refused
  ) throws -> (records: [FactRecord], notes: [String]) {
    var errors: [ErrataError] = []
    var notes: [String] = []
    let usable = try records.filter { record in
      do {
        notes += try self.notes(record)
        return true
      } catch let error as ErrataError {
        errors.append(record.place.map { error.within([$0.file], at: [$0.position]) } ?? error)
        return false
      }
    }
    try invalid.report(errors, of: records.count, in: path)
    return (usable, notes)
  }

  /// What is to be said of a fact that can be edited.
  ///
  /// - Throws: an `ErrataError` if the tokenizer has no tokens for it.
  package func notes(_ record: FactRecord) throws -> [String] {
    [record.remark.map { "\(record.fact.label): \($0)" }, try note(record.fact)].compactMap { $0 }
  }

  private func note(_ fact: Manifest.Fact) throws -> String? {
    guard fact.kind == .correct else { throw ErrataError.cannotForget(fact.label) }
    let target = try tokenization.target(fact)
    guard !target.isEmpty, !target.contains(where: { $0 == tokenizer.unknownToken }) else {
      throw ErrataError.targetWithoutTokens(fact.label, fact.targetNew)
    }
    guard try !tokenizer.encode(fact.subject).isEmpty else { throw ErrataError.promptWithoutTokens(fact.label) }
    guard let shared = try tokenization.tokenBeyondSubject(fact) else { return nil }
    return "\(fact.label): the subject ends within the token \"\(shared)\" of the prompt, where the edit is written"
  }
}
