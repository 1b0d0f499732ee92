import ArgumentParser
import Safetensors
import Tensors
import ToolSupport
import WeightPatch

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata verify",
    abstract: "Proves that a patch is whole, or that a checkpoint is its base plus its patches.",
    discussion: """
      A patch: its seal, checksums, structure and digests; exit code 6 if it is damaged.

      A checkpoint: every edited tensor is what the ledger says, its undo record leads back to the base, and exact apply \
      leads from there to the tensor, bit for bit. With --base every tensor is compared with the base itself, and those \
      that no patch edits must be equal byte for byte. Exit code 5, with the tensors named, if something does not hold; \
      6 if the ledger or a patch in it is damaged.

      Signatures, of the patch or of every applied patch, are listed. With --key all of the keys must have signed, with \
      a policy as many as it says; otherwise, and for a signature that does not hold, the exit code is 5; so it is for a \
      checkpoint without a ledger, unless --base says what its weights are. Nothing is written, unless an earlier change \
      in place was interrupted: then that is finished first.
      """,
    version: errataVersion)

  @Argument(help: "A .wpatch file, or a checkpoint: a directory, or one .safetensors file.")
  var path: String

  @Option(help: "The checkpoint without any patch, to compare all tensors with.")
  var base: String?

  @Option(help: "A public key that must have signed; may be given several times. Takes the place of a policy.")
  var key: [String] = []

  @OptionGroup
  var policy: PolicyOption

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    if base != nil && !namesCheckpoint(path) {
      throw ValidationError("--base goes with a checkpoint, not with a patch")
    }
    if !key.isEmpty && policy.isGiven { throw ValidationError("--key and --policy exclude each other") }
  }

  func run() throws {
    let trust = try key.isEmpty ? policy.path.map(TrustPolicy.init) : TrustPolicy(requiring: key)
    if namesCheckpoint(path) { try verifyCheckpoint(trust) } else { try verifyPatch(trust) }
  }

  private func verifyPatch(_ trust: TrustPolicy?) throws {
    let file = try PatchFile(path: path)
    let answer = PatchAnswer(file: file, signatures: SignatureReport(of: file, policy: trust))
    if json {
      printJSON(answer.json)
    } else {
      for line in answer.lines { print(line) }
    }
    try answer.signatures.check()
  }

  private func verifyCheckpoint(_ trust: TrustPolicy?) throws {
    let state = try open(path)
    let baseState = try base.map(open)
    let report = try verify(state, against: baseState?.checkpoint)
    let signatures = state.patches.map { SignatureReport(of: $0, policy: trust) }
    // Nothing says what its weights should be: the ledger could have been taken away.
    let isUnknown = trust != nil && state.patches.isEmpty && base == nil
    let answer = CheckpointAnswer(report: report, signatures: signatures, base: base, isUnknown: isUnknown)
    if json {
      printJSON(answer.json)
    } else {
      for line in answer.lines { print(line) }
    }
    try report.check()
    for patch in signatures { try patch.check() }
    if isUnknown { throw ErrataError.nothingIsSigned(path) }
  }

  private func verify(_ state: CheckpointState, against base: Checkpoint?) throws -> VerificationReport {
    let progress = ByteProgress("verifying", isQuiet: quiet)
    defer { progress.finish() }
    return try state.verify(against: base, progress: progress.update)
  }

  private func open(_ path: String) throws -> CheckpointState {
    try CheckpointState(path: path, notice: printNotice)
  }
}
