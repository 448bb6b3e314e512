package millrace.bench;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/** What follows the command: pairs of {@code --name value}. */
final class Options {
    private final Map<String, String> values = new HashMap<>();

    Options(String[] argv) {
        for (int i = 1; i < argv.length; i += 2) {
            if (!argv[i].startsWith("--") || i + 1 == argv.length) {
                throw new IllegalArgumentException("expected --name value at " + argv[i]);
            }
            values.put(argv[i].substring(2), argv[i + 1]);
        }
    }

    String text(String name) {
        String value = values.get(name);
        if (value == null) throw new IllegalArgumentException("--" + name + " is missing");
        return value;
    }

    int number(String name) {
        return Integer.parseInt(text(name));
    }

    /** The same, or null when the option is missing. */
    String textOrNull(String name) {
        return values.get(name);
    }

    /** What every client needs to know. */
    Properties client() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", text("bootstrap"));
        return properties;
    }
}
