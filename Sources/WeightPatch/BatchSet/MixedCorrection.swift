import Tensors

/// A weight that one batch corrects and another one changes too. The steps of a correction are counted from the
/// rounding of one sum; with another sum they lead anywhere (Spec: corrections).
struct MixedCorrection {
  let weight: ByteString
  let corrected: BatchSet.Member
  let other: BatchSet.Member
}

extension BatchSet {
  /// The first such weight, in order of name.
  ///
  /// - Parameter files: one of the two batches must have come in one of these; nil for any.
  func mixedCorrection(concerning files: Set<Digest>? = nil) -> MixedCorrection? {
    let corrected = Set(members.flatMap(\.correctedTensors))
    func isOfThem(_ member: Member) -> Bool {
      guard let files else { return true }
      return member.file.map { files.contains($0.identifier) } ?? false
    }
    for weight in corrected.sorted() {
      let editors = members(editing: weight)
      for first in editors where first.correctedTensors.contains(weight) {
        let other = editors.first { $0.digest != first.digest && (isOfThem($0) || isOfThem(first)) }
        if let other { return MixedCorrection(weight: weight, corrected: first, other: other) }
      }
    }
    return nil
  }

  /// - Parameters:
  ///   - files: as for `mixedCorrection`.
  ///   - name: what messages call a patch.
  /// - Throws: an `ErrataError` (conflict) that names the first such weight and both patches.
  package func checkCorrections(concerning files: Set<Digest>? = nil, name: (PatchFile) -> String) throws {
    guard let mixed = mixedCorrection(concerning: files) else { return }
    let isOneFile = mixed.corrected.file?.identifier == mixed.other.file?.identifier
    func describe(_ member: Member) -> String {
      guard case .file(let file, let index) = member.home else { return "batch \(member.digest.abbreviated)" }
      return (isOneFile ? "batch \(index) of " : "") + name(file)
    }
    throw ErrataError.mixedCorrection(mixed.weight, by: describe(mixed.corrected), and: describe(mixed.other))
  }
}
