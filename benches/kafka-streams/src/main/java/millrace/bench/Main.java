package millrace.bench;

/**
 * Pipelines in Kafka Streams, and the tools around them. Results are JSON objects on standard output, one a
 * line; the log goes to standard error.
 */
public final class Main {
    private static final String USAGE = """
        usage: COMMAND --bootstrap HOST:PORT --pipeline NAME [--name value]...
          streams  the pipeline until SIGTERM: --group G, --state DIR, --threads N, --commit-ms MS
          topics   deletes all groups and topics, and creates those of the pipeline: --keep input|nothing
          warm-up  transactions on the topics of the orders, for the broker to get warm
          load     records with old timestamps: --records N, --seed S
          lag      waits until a group has committed a load: --group G
          live     input at a steady rate, and how long results take: --group G, --rate R, --warm-up S, --seconds S
          results  a number for each committed result: --out FILE; or a result of a number: --find NUMBER
        """;

    public static void main(String[] argv) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        String command = argv.length == 0 ? "" : argv[0];
        Options options = new Options(argv);
        switch (command) {
            case "streams" -> StreamsApp.run(options);
            case "topics" -> Topics.reset(options);
            case "warm-up" -> WarmUp.run(options);
            case "load" -> Load.run(options);
            case "lag" -> Lag.run(options);
            case "live" -> Live.run(options);
            case "results" -> Results.run(options);
            default -> {
                System.err.print(USAGE);
                System.exit(2);
            }
        }
    }

    private Main() {}
}
