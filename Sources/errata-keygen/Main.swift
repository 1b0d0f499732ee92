import ToolSupport

@main
struct Main {
  static func main() { ToolMain.run(Keygen.self) }
}
