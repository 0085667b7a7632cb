%% The rounds that Erlang runs beside troupe. Each line on stdin is "name count"; the answer is one line: the nanoseconds that
%% all of them took together, timed here, or the bytes that they hold.
-module(rounds).
-behaviour(gen_server).
-export([start/0, read/0]).
-export([start_server/1, init/1, handle_call/3, handle_cast/2, handle_info/2]).

start() ->
    spawn(fun read/0).

read() ->
    %% Children that end with their supervisor must not end us.
    process_flag(trap_exit, true),
    loop().

loop() ->
    case io:get_line("") of
        Line when is_list(Line) ->
            [Name, Count] = string:lexemes(string:trim(Line), " "),
            Figure = run(Name, list_to_integer(Count)),
            io:format("~w~n", [Figure]),
            flush(),
            erlang:garbage_collect(),
            loop();
        _ ->
            halt(0)
    end.

%% Exits of what was linked for a round.
flush() ->
    receive {'EXIT', _, _} -> flush() after 0 -> ok end.

timed(Fun) ->
    From = erlang:monotonic_time(nanosecond),
    Fun(),
    erlang:monotonic_time(nanosecond) - From.

%% ── rounds ─────────────────────────────────────────────────────────────────────────────────

%% In batches as large as troupe's mailbox lets one be, each awaited.
run("tell", Count) ->
    Pid = spawn(fun() -> counter(0) end),
    Figure = timed(fun() -> tell_all(Pid, Count) end),
    Pid ! stop,
    Figure;
run("ping-pong", Count) ->
    Me = self(),
    timed(fun() ->
        Pong = spawn(fun pong/0),
        spawn(fun() -> ping(Pong, Count, Me) end),
        receive done -> ok end,
        Pong ! stop
    end);
run("call", Count) ->
    {ok, Pid} = gen_server:start_link(?MODULE, plain, []),
    Figure = timed(fun() -> call_all(Pid, Count) end),
    gen_server:stop(Pid),
    Figure;
run("spawn", Count) ->
    {ok, Sup} = supervisor:start_link(?MODULE, children),
    Figure = timed(fun() -> start_all(Sup, Count) end),
    stop_supervisor(Sup),
    Figure;
run("bytes", Count) ->
    {ok, Sup} = supervisor:start_link(?MODULE, children),
    erlang:garbage_collect(),
    Before = erlang:memory(processes_used),
    start_all(Sup, Count),
    [erlang:garbage_collect(Pid) || {_, Pid, _, _} <- supervisor:which_children(Sup)],
    erlang:garbage_collect(Sup),
    erlang:garbage_collect(),
    Figure = erlang:memory(processes_used) - Before,
    stop_supervisor(Sup),
    Figure;
run("restart", Count) ->
    {ok, Sup} = supervisor:start_link(?MODULE, {fragile, self()}),
    Pid = receive {up, First} -> First end,
    Figure = timed(fun() -> crash_all(Pid, Count) end),
    stop_supervisor(Sup),
    Figure;
run("stop", Count) ->
    lists:sum([stop_tree() || _ <- lists:seq(1, Count)]);
run("relay", Count) ->
    Me = self(),
    Chain = lists:foldl(
        fun(_, [Next | _] = All) -> [spawn(fun() -> relay(Next) end) | All] end,
        [spawn(fun() -> last(Me) end)],
        lists:seq(2, 10000)
    ),
    Figure = timed(fun() -> relay_all(hd(Chain), Count) end),
    [exit(Pid, kill) || Pid <- Chain],
    Figure.

counter(N) ->
    receive
        {add} -> counter(N + 1);
        {get, From} -> From ! {count, N}, counter(N);
        stop -> ok
    end.

tell_all(_, 0) -> ok;
tell_all(Pid, Count) ->
    Batch = min(Count, 5000),
    tell(Pid, Batch),
    Pid ! {get, self()},
    receive {count, _} -> ok end,
    tell_all(Pid, Count - Batch).

tell(_, 0) -> ok;
tell(Pid, N) -> Pid ! {add}, tell(Pid, N - 1).

ping(_, 0, Me) -> Me ! done;
ping(Pong, N, Me) ->
    Pong ! {ping, self()},
    receive pong -> ping(Pong, N - 1, Me) end.

pong() ->
    receive
        {ping, From} -> From ! pong, pong();
        stop -> ok
    end.

call_all(_, 0) -> ok;
call_all(Pid, N) -> gen_server:call(Pid, get), call_all(Pid, N - 1).

start_all(_, 0) -> ok;
start_all(Sup, N) -> {ok, _} = supervisor:start_child(Sup, []), start_all(Sup, N - 1).

crash_all(_, 0) -> ok;
crash_all(Pid, N) ->
    gen_server:cast(Pid, crash),
    receive {up, Next} -> crash_all(Next, N - 1) end.

stop_tree() ->
    {ok, Sup} = supervisor:start_link(?MODULE, children),
    start_all(Sup, 10000),
    timed(fun() -> stop_supervisor(Sup) end).

stop_supervisor(Sup) ->
    Monitor = monitor(process, Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Monitor, process, Sup, _} -> ok end,
    receive {'EXIT', Sup, _} -> ok end.

relay(Next) ->
    receive Message -> Next ! Message, relay(Next) end.

last(Me) ->
    receive Message -> Me ! Message, last(Me) end.

relay_all(_, 0) -> ok;
relay_all(First, N) ->
    First ! go,
    receive go -> relay_all(First, N - 1) end.

%% ── what is supervised ─────────────────────────────────────────────────────────────────────

start_server(State) -> gen_server:start_link(?MODULE, State, []).

init(children) ->
    Child = #{id => child, start => {?MODULE, start_server, [plain]}},
    {ok, {#{strategy => simple_one_for_one, intensity => 3, period => 5}, [Child]}};
init({fragile, Watcher}) ->
    Child = #{id => child, start => {?MODULE, start_server, [{watched, Watcher}]}},
    {ok, {#{strategy => one_for_one, intensity => 100000000, period => 1}, [Child]}};
init({watched, Watcher}) ->
    Watcher ! {up, self()},
    {ok, 0};
init(plain) ->
    {ok, 0}.

handle_call(get, _From, N) -> {reply, N, N}.

handle_cast(crash, _N) -> exit(boom).

handle_info(_, N) -> {noreply, N}.
