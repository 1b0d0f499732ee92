import Tensors

/// A weight that one batch corrects and another one changes too. The steps of a correction are counted from the rounding of
/// one sum; with another sum they lead anywhere (Spec: corrections).
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
    let corrected = Set(members.flatMap(\.correctedWeights))
    for weight in corrected.sorted() {
      let editors = self.members(editing: weight)
      for first in editors where first.correctedWeights.contains(weight) {
        let other = editors.first { other in
          other.digest != first.digest
            && files.map { $0.contains(other.file.identifier) || $0.contains(first.file.identifier) } ?? true
        }
        if let other { return MixedCorrection(weight: weight, corrected: first, other: other) }
      }
    }
    return nil
  }

  /// - Parameters:
  ///   - files: as for `mixedCorrection`.
  ///   - name: what messages call a patch.
  /// - Throws: an `ErrataError` (conflict) that names the first such weight and both patches.
  func checkCorrections(concerning files: Set<Digest>? = nil, name: (PatchFile) -> String) throws {
    guard let mixed = mixedCorrection(concerning: files) else { return }
    let isOneFile = mixed.corrected.file.identifier == mixed.other.file.identifier
    func describe(_ member: Member) -> String {
      (isOneFile ? "batch \(member.index) of " : "") + name(member.file)
    }
    throw ErrataError.mixedCorrection(mixed.weight, by: describe(mixed.corrected), and: describe(mixed.other))
  }
}

/// That no weight is corrected by one of the patches' batches and changed by another batch: such a set cannot be applied.
///
/// - Throws: an `ErrataError` (conflict) that names the first such weight and both patches.
public func checkCorrections(of files: [PatchFile]) throws {
  try BatchSet(files).checkCorrections { $0.path }
}
