import ArgumentParser
import Foundation
import Tensors
import ToolSupport
import WeightPatch

struct Sign: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata sign",
    abstract: "Signs a patch, or takes a signature off.",
    discussion: """
      The signature says: I approve the patch with this ID. It is kept in the file, beside up to 15 others, and \
      changes neither the ID nor what the patch does. The patch itself is rewritten, as a whole or not at all; \
      --output writes a signed copy. 'errata keygen' makes keys; 'errata verify --key' and 'errata apply --policy' \
      check signatures.
      """,
    version: errataVersion)

  @Argument(help: "The patch.")
  var patch: String

  @Option(help: "The private key to sign with.")
  var key: String?

  @Option(help: "With --key: a remark, which is signed too.")
  var note: String?

  @Option(
    help: ArgumentHelp("Take off the signatures by this key (its ID, or the first 8 digits or more).", valueName: "id"))
  var remove: String?

  @Flag(help: "Take off all signatures.")
  var removeAll = false

  @Option(name: [.short, .long], help: "The patch to write (default: in place).")
  var output: String?

  @Flag(help: "Print the result as JSON.")
  var json = false

  func validate() throws {
    guard [key != nil, remove != nil, removeAll].filter(\.self).count == 1 else {
      throw ValidationError("give one of --key, --remove and --remove-all")
    }
    if note != nil && key == nil { throw ValidationError("--note goes with --key") }
    if let remove, remove.utf8.count < 8 || !remove.allSatisfy({ $0.isASCII && $0.isHexDigit }) {
      throw ValidationError("--remove needs a key ID: 8 hexadecimal digits or more")
    }
  }

  private var destination: String { output ?? patch }

  func run() throws {
    // Naming the patch itself is signing in place.
    if let output { try PatchWriter.checkOutput(output) }
    if let key { try sign(with: key) } else { try takeOff() }
  }

  private func sign(with path: String) throws {
    let key = try KeyFile.privateKey(path: path)
    if KeyFile.isOpenToOthers(path: path) {
      printNotice("note: \(printable(path)): others can read this private key; close it with chmod 600")
    }
    var signing = try PatchSigning(path: patch)
    let statement = SignatureStatement(
      of: signing.file, name: URL(fileURLWithPath: destination).lastPathComponent, created: timestamp(),
      tool: Manifest.Tool(name: "errata", version: errataVersion), note: note)
    let isNew = try signing.sign(with: key, statement)
    if isNew { try signing.write(to: destination) }
    let identifier = key.publicKey.identifier
    if json {
      printJSON(answer(signing, ["signed": .bool(isNew), "key": JSON(identifier.description)]))
    } else if isNew {
      let file = signing.file
      print(
        "\(printable(destination)): patch \(file.identifier.abbreviated), \(file.extent), signed with key "
          + identifier.abbreviated)
    } else {
      print("\(printable(patch)): already signed with key \(identifier.abbreviated), nothing written")
    }
  }

  private func takeOff() throws {
    var signing = try PatchSigning(path: patch)
    let before = signing.signatureCount
    if let remove {
      guard signing.remove(keyIdentifier: remove) > 0 else { throw ErrataError.noSuchSignature(patch, remove) }
    } else {
      signing.removeAll()
    }
    let (removed, left) = (before - signing.signatureCount, signing.signatureCount)
    if removed > 0 { try signing.write(to: destination) }
    if json {
      printJSON(answer(signing, ["removed": .integer(removed)]))
    } else if removed == 0 {
      print("\(printable(patch)): has no signature, nothing written")
    } else {
      print(
        "\(printable(destination)): \(removed) signature\(removed == 1 ? "" : "s") taken off, "
          + "\(left == 0 ? "none" : "\(left)") left")
    }
  }

  private func answer(_ signing: PatchSigning, _ members: KeyValuePairs<ByteString, JSON>) -> JSON {
    var object = JSONObject(members)
    object["file"] = JSON(destination)
    object["patch"] = JSON(signing.file.identifier.description)
    object["signatures"] = .integer(signing.signatureCount)
    return .object(object)
  }
}

extension ErrataError {
  fileprivate static func noSuchSignature(_ path: String, _ digits: String) -> ErrataError {
    ErrataError(.general, "\(path): no signature names a key \(digits); 'errata show' lists those that there are")
  }
}
