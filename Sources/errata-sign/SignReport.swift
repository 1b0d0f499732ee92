import CheckpointLedger
import Tensors
import ToolSupport
import WeightPatch

/// A patch whose signatures were changed, or were already so.
struct SignedPatch {
  /// The file that has them now.
  let path: String
  let effect: SignatureChange.Effect
  let signing: PatchSigning

  var json: JSON {
    var object = JSONObject(["file": JSON(path), "patch": JSON(signing.file.identifier)])
    for (key, value) in effect.members.members { object[key] = value }
    object["signature_count"] = .integer(signing.signatureCount)
    return .object(object)
  }
}

/// What `errata sign` says of a patch.
struct SignedPatchReport: Answer {
  let kind = "sign.patch"

  let path: String
  /// Nil if nothing was written.
  let written: String?
  let patch: SignedPatch
  /// Whether people are told which patch it is.
  let namesPatch: Bool

  var lines: [String] {
    guard patch.effect.isChange else {
      return ["\(path): \(patch.effect.text), \(written.map { "copied to \($0)" } ?? "nothing written")"]
    }
    let file = patch.signing.file
    let name = namesPatch ? "patch \(file.identifier.abbreviated), \(file.extent), " : ""
    return ["\(patch.path): \(name)\(patch.effect.text)"]
  }

  var json: JSON { patch.json }
}

/// What `errata sign` says of the patches that a checkpoint carries.
struct SignedCheckpointReport: Answer {
  let kind = "sign.checkpoint"

  let path: String
  /// The signed copy, if one was asked for.
  let output: String?
  let patches: [(entry: Ledger.Entry, patch: SignedPatch)]
  let isChanged: Bool
  let forAnotherBase: [Ledger.Entry]

  var lines: [String] {
    let signed = patches.map { "\(path): patch \($0.entry), \($0.patch.effect.text)" }
    guard let output else { return signed + (isChanged ? [] : ["\(path): nothing written"]) }
    return signed + ["\(output): \(isChanged ? "written, with these signatures in its ledger" : "copied, no change")"]
  }

  var json: JSON {
    [
      "checkpoint": JSON(path), "output": JSON(output ?? path), "patches": .array(patches.map(\.patch.json)),
    ]
  }

  var notices: [String] {
    forAnotherBase.map { "note: \(path): \($0) was made for another base: no policy takes it on this one" }
  }
}
