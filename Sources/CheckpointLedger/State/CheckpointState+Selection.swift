import Foundation
import Tensors
import WeightPatch

extension CheckpointState {
  /// Which applied patch a person means: by the first digits of its ID (four at least), by its file, or by the name of
  /// the file that it came in.
  ///
  /// - Parameter text: as a file, `-` is standard input.
  /// - Returns: nil for a patch file that is not applied.
  /// - Throws: an `ErrataError` if no patch is meant, or more than one; or if the patch of a file is in the weights, or
  ///   could be, and the ledger does not name it.
  public func appliedPatch(matching text: String) throws -> Digest? {
    let digits = text.lowercased()
    let isNumber = digits.utf8.count >= 4 && digits.allSatisfy { $0.isASCII && $0.isHexDigit }
    let byNumber = isNumber ? ledger.patches.filter { $0.patch.description.hasPrefix(digits) } : []
    if let found = try only(byNumber, text) { return found }
    if text == "-" || FileManager.default.fileExists(atPath: text) {
      let file = try PatchFile(path: text)
      if ledger.patches.contains(where: { $0.patch == file.identifier }) { return file.identifier }
      try checkIsNotInWeights(file)
      return nil
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
