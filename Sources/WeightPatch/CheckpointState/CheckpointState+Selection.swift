import Foundation
import Tensors

extension CheckpointState {
  /// Which applied patch a person means: by the first digits of its ID (four at least), by its file, or by the name of
  /// the file that it came in.
  ///
  /// - Returns: nil for a patch file that is not applied.
  /// - Throws: an `ErrataError` if no patch is meant, or more than one.
  public func appliedPatch(matching text: String) throws -> Digest? {
    let digits = text.lowercased()
    let isNumber = digits.utf8.count >= 4 && digits.allSatisfy { $0.isASCII && $0.isHexDigit }
    let byNumber = isNumber ? ledger.patches.filter { $0.patch.description.hasPrefix(digits) } : []
    if let found = try only(byNumber, text) { return found }
    if FileManager.default.fileExists(atPath: text) {
      let identifier = try PatchFile(path: text).identifier
      return ledger.patches.contains { $0.patch == identifier } ? identifier : nil
    }
    if let found = try only(ledger.patches.filter { $0.name == text }, text) { return found }
    throw ErrataError.noSuchPatch(text, checkpoint.path, applied: ledger.patches)
  }

  /// The patch that a command takes back if it names none.
  ///
  /// - Throws: an `ErrataError` (usage) if there are several.
  public func onlyAppliedPatch() throws -> Digest? {
    guard ledger.patches.count <= 1 else { throw ErrataError.severalPatches(checkpoint.path, ledger.patches) }
    return ledger.patches.first?.patch
  }

  private func only(_ entries: [Ledger.Entry], _ text: String) throws -> Digest? {
    guard entries.count <= 1 else { throw ErrataError.ambiguousPatch(text, entries) }
    return entries.first?.patch
  }
}

extension Ledger.Entry: CustomStringConvertible {
  /// For people: `1a2b3c4d5e6f (name.wpatch)`.
  public var description: String { "\(patch.abbreviated) (\(name))" }
}

extension Patch {
  /// What it does, for people: `10 facts in 3 tensors`.
  public var extent: String {
    let facts = manifest.factCount
    let terms = batches.reduce(0) { $0 + $1.factCount }
    let tensors = manifest.base.tensors.count
    return (facts > 0 ? count(facts, "fact") : count(terms, "term")) + " in " + count(tensors, "tensor")
  }

  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
