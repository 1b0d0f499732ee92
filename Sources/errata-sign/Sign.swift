import ArgumentParser
import Foundation
import Tensors
import ToolSupport
import WeightPatch

struct Sign: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata sign",
    abstract: "Signs patches, or takes signatures off.",
    discussion: """
      The signature says: I approve the patch with this ID. It is kept in the file, beside up to 15 others, and \
      changes neither the ID nor what the patch does. The patch itself is rewritten, as a whole or not at all; \
      --output writes a signed copy. 'errata keygen' makes keys; 'errata verify --key' and 'errata apply --policy' \
      check signatures.

      Of a checkpoint, the patches that its ledger carries are signed, all or none; weights stay as they are, and must be \
      what the ledger says. A signed copy of an applied patch brings its signatures there too: 'errata apply'.
      """,
    version: errataVersion)

  @Argument(help: "The patches, - for standard input, or checkpoints that carry patches.")
  var paths: [String]

  @Option(help: "The private key to sign with.")
  var key: String?

  @Option(help: "With --key: a remark, which is signed too.")
  var note: String?

  @Option(
    help: ArgumentHelp("Take off the signatures by this key (its ID, or the first 8 digits or more).", valueName: "id"))
  var remove: String?

  @Flag(help: "Take off all signatures.")
  var removeAll = false

  @Option(name: [.short, .long], help: "The patch or checkpoint to write, - for standard output (default: in place).")
  var output: String?

  @OptionGroup
  var replacement: ReplaceOption

  @Flag(help: "Print the result as JSON.")
  var json = false

  func validate() throws {
    guard [key != nil, remove != nil, removeAll].filter(\.self).count == 1 else {
      throw ValidationError("give one of --key, --remove and --remove-all")
    }
    if note != nil && key == nil { throw ValidationError("--note goes with --key") }
    if output != nil && paths.count > 1 { throw ValidationError("--output goes with one patch or checkpoint") }
    if let remove, remove.utf8.count < 8 || !remove.allSatisfy({ $0.isASCII && $0.isHexDigit }) {
      throw ValidationError("--remove needs a key ID: 8 hexadecimal digits or more")
    }
  }

  func run() throws {
    let change = try change()
    try forEachInput(of: Self.self, paths, asJSON: json) { path, answers in
      if namesCheckpoint(path) {
        try changeCheckpoint(path, change, &answers)
      } else {
        try changePatch(path, change, &answers)
      }
    }
  }

  private func change() throws -> SignatureChange {
    if let key { return .sign(with: try privateKey(key), note: note) }
    return remove.map { .remove($0) } ?? .removeAll
  }

  private func privateKey(_ path: String) throws -> PrivateKey {
    let key = try KeyFile.privateKey(path: path)
    if KeyFile.isOpenToOthers(path: path) {
      printNotice("note: \(path): others can read this private key; close it with chmod 600")
    }
    return key
  }

  private func give(_ line: String) {
    if !json { print(line) }
  }

  private func changePatch(_ path: String, _ change: SignatureChange, _ answers: inout [JSON]) throws {
    let destination = output ?? path
    // Naming the patch itself is signing in place.
    if let output { try PatchWriter.checkOutput(output, replacing: replacement.isAllowed || isSameFile(output, path)) }
    var signing = try PatchSigning(path: path)
    let effect = try change.make(
      in: &signing, of: path,
      name: destination == "-" ? signing.file.name : URL(fileURLWithPath: destination).lastPathComponent)
    // An output that was asked for is left, also where nothing changes.
    let isWritten = effect.isChange || destination != path || path == "-"
    if isWritten { try signing.write(to: destination) }
    if effect.isChange {
      let patch = "patch \(signing.file.identifier.abbreviated), \(signing.file.extent), "
      give("\(destination): \(key == nil ? "" : patch)\(effect.text)")
    } else {
      give("\(path): \(effect.text), \(isWritten ? "copied to \(destination)" : "nothing written")")
    }
    answers.append(answer(effect, signing, path: destination))
  }

  private func changeCheckpoint(_ path: String, _ change: SignatureChange, _ answers: inout [JSON]) throws {
    let state = try CheckpointState(path: path, forWriting: output == nil, notice: printNotice)
    guard state.isEdited else { throw ErrataError.nothingToSign(path) }
    var results: [JSON] = []
    var lines: [String] = []
    let files = try zip(state.patches, state.ledger.patches).map { file, entry -> PatchFile in
      var signing = PatchSigning(file)
      let effect = try change.make(in: &signing, of: "\(path): \(entry)", name: entry.name)
      lines.append("\(path): patch \(entry), \(effect.text)")
      results.append(answer(effect, signing, path: file.path))
      return signing.file
    }
    let plan = try state.planSigning(files)
    if let output {
      try plan.write(to: output)
      lines.append("\(output): \(plan.isEmpty ? "copied, no change" : "written, with these signatures in its ledger")")
    } else if plan.isEmpty {
      lines.append("\(path): nothing written")
    } else {
      try plan.writeInPlace()
    }
    lines.forEach(give)
    for entry in state.patchesForAnotherBase {
      printNotice("note: \(path): \(entry) was made for another base: no policy takes it on this one")
    }
    answers.append(["checkpoint": JSON(path), "output": JSON(output ?? path), "patches": .array(results)])
  }

  private func answer(_ effect: SignatureChange.Effect, _ signing: PatchSigning, path: String) -> JSON {
    var object = effect.members
    object["file"] = JSON(path)
    object["patch"] = JSON(signing.file.identifier.description)
    object["signatures"] = .integer(signing.signatureCount)
    return .object(object)
  }
}
