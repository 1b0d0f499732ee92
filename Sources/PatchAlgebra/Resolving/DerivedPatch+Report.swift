import Tensors
import WeightPatch

extension DerivedPatch {
  /// One line for people about the patch that was written.
  public func summary(_ written: Patch, path: String) -> String {
    let derivation = manifest.derivation!
    return "\(path): patch \(written.identifier.abbreviated), \(written.extent); from \(derivation.patch.abbreviated), "
      + derivation.change
  }

  /// The answer of `--json` about the patch that was written.
  public func answer(_ written: Patch, path: String) -> JSON {
    let derivation = manifest.derivation!
    return [
      "output": JSON(path), "patch": JSON(written.identifier.description),
      "derived_from": JSON(derivation.patch.description), "change": JSON(derivation.change),
      "facts": .array(manifest.batches.flatMap { $0.facts.map { JSON($0.identifier) } }),
    ]
  }
}
