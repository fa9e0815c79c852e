//! L02: classes of exceptions, and the pages that frameworks show to their developers.
//!
//! A word such as "exception", "error" or "panic" is none: a class counts with its package, or with the colon that follows
//! it where a language prints it.

use std::sync::LazyLock;

use crate::contract::leak::pattern::Forms;

/// What gives away that an error was not handled.
pub(super) static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    Forms::new(&[
        (
            "a class of exceptions",
            r"(?-u:\b)[A-Za-z_$][0-9A-Za-z_$]*(?:(?:\.|\\|::)[0-9A-Za-z_$]+)+(?:Exception(?-u:\b)|Error(?::|\()|Errno(?-u:\b))|(?-u:\b)java\.[a-z.]+\.[A-Za-z]+Error(?-u:\b)",
        ),
        ("a class of exceptions", r"(?-u:\b)[A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)?Exception(?:: | in |\()"),
        (
            "a class of exceptions",
            r"(?-u:\b)(?:Type|Reference|Syntax|Range|Key|Value|Attribute|Index|Name|ZeroDivision|Runtime|Assertion|Import|ModuleNotFound|OS|IO|FileNotFound|Permission|Recursion|UnboundLocal|UnicodeDecode|JSONDecode|NoMethod|Argument|Arithmetic|StackOverflow|OutOfMemory)Error: ",
        ),
        ("a traceback", r"Traceback \(most recent call last\)"),
        (
            "a panic",
            r"panic: runtime error|thread '[^'\n]*' panicked at|runtime error: (?:invalid memory address|index out of range|slice bounds)",
        ),
        (
            "a message of a runtime",
            r"Cannot read propert(?:y|ies) (?:'[^'\n]*' )?of (?:undefined|null)|(?-u:\b)is not a function(?-u:\b) at |'NoneType' object |Object reference not set to an instance|undefined method [`'][^'\n]+' for|nil pointer dereference|Segmentation fault|object of type '[A-Za-z]+' has no len|unsupported operand type\(s\)",
        ),
        (
            "an unhandled error",
            r"(?:PHP )?Fatal error: +(?:Uncaught|Allowed memory)|(?:Unhandled|Uncaught) (?:exception|[A-Za-z]+(?:Error|Exception))(?-u:\b)",
        ),
        ("the debugger of Werkzeug", r"Werkzeug Debugger|__debugger__=yes|The debugger caught an exception in your WSGI application"),
        (
            "the debug page of Django",
            r"(?s)You(?:'|&#x27;|&#39;|&rsquo;|’)re seeing this error because you have.{0,40}DEBUG = True|Using the URLconf defined in|Django Version:",
        ),
        ("the debug page of Rails", r"Action Controller: Exception caught|(?-u:\b)Rails\.root: |<h1>\s*Routing Error\s*</h1>"),
        (
            "the debug page of Laravel",
            r"Whoops, looks like something went wrong|Whoops\\|Whoops container|Illuminate\\[A-Z]|laravel/framework/src",
        ),
        ("the debug page of Symfony", r"Symfony\\Component\\|Symfony Exception"),
        ("the error page of Express", r"<pre>(?:Cannot (?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /|[A-Za-z]*Error: )"),
        ("the error page of Spring", r"Whitelabel Error Page"),
        (
            "the error page of ASP.NET",
            r"Server Error in '[^'\n]*' Application|An unhandled exception occurred during the execution|Microsoft \.NET Framework Version:|DeveloperExceptionPage",
        ),
        ("the error page of Tomcat", r"<h3>Apache Tomcat/|<b>(?:Root Cause|Exception)</b>"),
        ("an error of PHP", r"<b>(?:Fatal error|Parse error|Warning|Notice)</b>: |xdebug-error"),
    ])
});
