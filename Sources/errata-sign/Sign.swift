import ArgumentParser
import CheckpointLedger
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

      Of a checkpoint, the patches that its ledger carries are signed, all or none; weights stay as they are, and \
      must be what the ledger says. A signed copy of an applied patch brings its signatures there too: 'errata apply'.
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

  @Flag(help: "Of a checkpoint, copy what links in it lead to, also outside of it.")
  var followLinks = false

  @OptionGroup
  var replacement: ReplaceOption

  @OptionGroup
  var json: JSONOption

  func validate() throws {
    guard [key != nil, remove != nil, removeAll].filter(\.self).count == 1 else {
      throw ValidationError("give one of --key, --remove and --remove-all")
    }
    if note != nil && key == nil { throw ValidationError("--note goes with --key") }
    if output != nil && paths.count > 1 { throw ValidationError("--output goes with one patch or checkpoint") }
    if followLinks && output == nil { throw ValidationError("--follow-links goes with --output only") }
    if let remove, remove.utf8.count < 8 || !remove.allSatisfy({ $0.isASCII && $0.isHexDigit }) {
      throw ValidationError("--remove needs a key ID: 8 hexadecimal digits or more")
    }
  }

  func run() throws {
    let change = try change()
    try json.giveEach(of: Self.self, paths) { path, give in
      if namesCheckpoint(path) {
        give(try changeCheckpoint(path, change))
      } else {
        if followLinks { throw ValidationError("--follow-links goes with a checkpoint, and \(path) is none") }
        give(try changePatch(path, change))
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

  private func changePatch(_ path: String, _ change: SignatureChange) throws -> any Answer {
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
    return SignedPatchReport(
      path: path, written: isWritten ? destination : nil,
      patch: SignedPatch(path: destination, effect: effect, signing: signing), namesPatch: key != nil)
  }

  private func changeCheckpoint(_ path: String, _ change: SignatureChange) throws -> any Answer {
    let state = try CheckpointState(path: path, forWriting: output == nil, notice: printNotice)
    guard state.isEdited else { throw ErrataError.nothingToSign(path) }
    let patches = try zip(state.patches, state.ledger.patches).map { file, entry in
      var signing = PatchSigning(file)
      let effect = try change.make(in: &signing, of: "\(path): \(entry)", name: entry.name)
      return SignedPatch(path: file.path, effect: effect, signing: signing)
    }
    let plan = try state.planSigning(patches.map(\.signing.file))
    if let output {
      try plan.write(to: output, options: WriteOptions(followsLinks: followLinks))
    } else if !plan.isEmpty {
      try plan.writeInPlace()
    }
    return SignedCheckpointReport(
      path: path, output: output, patches: Array(zip(state.ledger.patches, patches)), isChanged: !plan.isEmpty,
      forAnotherBase: state.patchesForAnotherBase)
  }
}
