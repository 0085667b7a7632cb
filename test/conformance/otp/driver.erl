%% Runs the scripts of the conformance suite on the supervisors of this Erlang and writes their traces; README.md beside this
%% file has both formats.
%%
%% The supervisor module is recompiled from the abstract code in its own beam file with one change: the clock that add_restart
%% reads is the script's. One scheduler (+S 1), so that a run queue found empty means that the tree has settled.
-module(driver).
-export([main/2]).
-export([start_worker/2, start_supervisor/2, start_dynamic/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export([log/2]).

%% How long a worker that never ends by itself is waited for, ms of real time; the script's clock does not move.
-define(HANG_ALLOWANCE, 20).
%% For all others an allowance never runs out.
-define(AMPLE, 600000).
%% How long something that hangs is waited for before it counts as hung for ever, ms.
-define(PATIENCE, 1000).

main(ScriptFile, TraceFile) ->
    use_script_clock(),
    ok = logger:remove_handler(default),
    ok = logger:set_primary_config(level, info),
    %% Their crash reports ask other processes, and so let those run between an init's answer and its exit.
    ok = logger:set_module_level([proc_lib, gen_server], none),
    ok = logger:add_handler(driver, driver, #{level => all}),
    {ok, Text} = file:read_file(ScriptFile),
    Scripts = [decode(Line) || Line <- binary:split(Text, <<"\n">>, [global]), Line =/= <<>>],
    register(collector, spawn(fun collect/0)),
    warm_up(Scripts),
    {ok, Out} = file:open(TraceFile, [write, raw, delayed_write]),
    lists:foreach(fun(Script) -> file:write(Out, [encode(run(Script)), $\n]) end, Scripts),
    ok = file:close(Out),
    io:format("~s~n", [erlang:system_info(otp_release)]),
    halt(0).

%% Code is loaded when first used, and waiting for a file does not show in the run queue.
warm_up(Scripts) ->
    {ok, Modules} = application:get_key(stdlib, modules),
    ok = code:ensure_modules_loaded([Module || Module <- Modules, Module =/= supervisor]),
    _ = [run(Script) || Script <- lists:sublist(Scripts, 5)],
    timer:sleep(20).

%% -- the clock ----------------------------------------------------------------------------------

use_script_clock() ->
    clock = ets:new(clock, [named_table, public]),
    {ok, {supervisor, [{abstract_code, {raw_abstract_v1, Forms}}]}} =
        beam_lib:chunks(code:which(supervisor), [abstract_code]),
    {Patched, 1} = replace_clock(Forms, 0),
    {ok, supervisor, Beam} = compile:forms(Patched, []),
    code:unstick_mod(supervisor),
    {module, supervisor} = code:load_binary(supervisor, "supervisor", Beam),
    ok.

replace_clock({call, L, {remote, _, {atom, _, erlang}, {atom, _, monotonic_time}}, _}, N) ->
    Read = {remote, L, {atom, L, ets}, {atom, L, lookup_element}},
    {{call, L, Read, [{atom, L, clock}, {atom, L, now}, {integer, L, 2}]}, N + 1};
replace_clock(Form, N) when is_tuple(Form) ->
    {Elements, N1} = replace_clock(tuple_to_list(Form), N),
    {list_to_tuple(Elements), N1};
replace_clock([Head | Tail], N) ->
    {Head1, N1} = replace_clock(Head, N),
    {Tail1, N2} = replace_clock(Tail, N1),
    {[Head1 | Tail1], N2};
replace_clock(Other, N) ->
    {Other, N}.

%% -- one script ---------------------------------------------------------------------------------

run(#{<<"id">> := Id, <<"tree">> := Tree, <<"ops">> := Ops} = Script) ->
    lists:foreach(
        fun(Table) -> ets:new(Table, [named_table, public, ordered_set]) end,
        [counts, events, deaths, notices, processes, hanging, held]
    ),
    ets:insert(clock, {now, 1000}),
    put(asks, maps:get(<<"held">>, Script, none)),
    Holder = spawn(fun() -> hold_root(Tree) end),
    First = step(fun() -> pending(Holder, start) end),
    Middle = [step(fun() -> perform(Op) end) || Op <- Ops],
    Last = step(fun() ->
        case living(maps:get(<<"id">>, Tree)) of
            none -> fun() -> noproc end;
            {ok, _, _} -> Holder ! stop, fun() -> ok end
        end
    end),
    exit(Holder, kill),
    _ = [exit(Pid, kill) || {Pid, _, _, _} <- ets:tab2list(processes)],
    settle(),
    lists:foreach(fun ets:delete/1, [counts, events, deaths, notices, processes, hanging, held]),
    {object, [{id, Id}, {steps, [First] ++ Middle ++ [Last]}]}.

step(Act) ->
    lists:foreach(fun ets:delete_all_objects/1, [events, deaths, notices]),
    Answer = Act(),
    settle(),
    Held = release_held(get(asks)),
    Notices = [Notice || {_, Notice} <- ets:tab2list(notices)],
    {object,
        [
            {ret, Answer()},
            {events, [Event || {_, Event} <- ets:tab2list(events)]},
            {deaths, [Death || {_, Death} <- ets:tab2list(deaths)]},
            {tree, [[Place, N, Type] || {Pid, Place, N, Type} <- ets:tab2list(processes), is_process_alive(Pid)]}
        ] ++ [{notices, Notices} || Notices =/= []] ++
            [{held, [[Places, [Said() || Said <- Answers]] || {Places, Answers} <- Held]} || Held =/= []]}.

%% Where the script says what is asked while an init is held, no step ends with one that is.
release_held(none) -> [];
release_held(Asks) ->
    case ets:tab2list(held) of
        [] -> [];
        [{First, _} | _] = Held ->
            {Now, Later} =
                case Asks of
                    [] -> {[], []};
                    _ -> {hd(Asks), tl(Asks)}
                end,
            put(asks, Later),
            Answers = [perform(address(Ask, First)) || Ask <- Now, is_settled_above(filename:dirname(First))],
            ets:delete_all_objects(held),
            _ = [Pid ! release || {_, Pid} <- Held],
            settle(),
            [{[Place || {Place, _} <- Held], Answers} | release_held(Later)]
    end.

%% A supervisor that has just been started by another answers while that one goes on: in what order is chance.
is_settled_above(Supervisor) ->
    IsTop = filename:dirname(Supervisor) =:= <<".">>,
    IsTop orelse not lists:any(
        fun({_, [Kind, Place | _]}) -> Kind =:= sup_init andalso Place =:= Supervisor end, ets:tab2list(events)
    ).

%% The supervisor that waits for the init, and where the script says so the child itself.
address(#{<<"child">> := <<"*">>} = Ask, Place) -> address(Ask#{<<"child">> := filename:basename(Place)}, Place);
address(Ask, Place) -> Ask#{<<"sup">> => filename:dirname(Place)}.

%% The root's parent, apart from who sends signals, which are a stranger's.
hold_root(Tree) ->
    process_flag(trap_exit, true),
    receive
        {ask, From, Ref, start} ->
            case start_supervisor(maps:get(<<"id">>, Tree), Tree) of
                {ok, Root} -> From ! {Ref, ok}, hold_root_until_stop(Root);
                {error, Reason} -> From ! {Ref, [error, reason(Reason)]}
            end
    end.

hold_root_until_stop(Root) ->
    receive
        stop -> exit(Root, shutdown), hold_root_until_stop(Root);
        _ -> hold_root_until_stop(Root)
    end.

pending(Process, Question) ->
    Ref = make_ref(),
    Process ! {ask, self(), Ref, Question},
    fun() -> receive {Ref, Answer} -> Answer after 0 -> hung end end.

%% Settled: nobody is ready to run, and nobody hangs whose allowance has yet to run out.
settle() -> settle(erlang:monotonic_time(millisecond) + ?PATIENCE).

settle(Until) ->
    quiesce(0),
    IsHanging = lists:any(fun({Pid}) -> is_process_alive(Pid) end, ets:tab2list(hanging)),
    case IsHanging andalso erlang:monotonic_time(millisecond) < Until of
        true -> timer:sleep(1), settle(Until);
        false -> ok
    end.

quiesce(4) -> ok;
quiesce(Calm) ->
    erlang:yield(),
    case erlang:statistics(total_run_queue_lengths_all) of
        0 -> quiesce(Calm + 1);
        _ -> quiesce(0)
    end.

%% -- ops ----------------------------------------------------------------------------------------

perform(#{<<"op">> := <<"advance">>, <<"s">> := Seconds}) ->
    ets:update_counter(clock, now, Seconds),
    fun() -> ok end;
perform(#{<<"op">> := <<"whereis">>, <<"name">> := Name}) ->
    Found =
        case whereis(binary_to_atom(Name)) of
            undefined -> undefined;
            Pid -> [{_, Place, N, _}] = ets:lookup(processes, Pid), [Place, N]
        end,
    fun() -> Found end;
perform(#{<<"op">> := <<"release">>, <<"path">> := Path, <<"asks">> := Asks}) ->
    case ets:take(held, Path) of
        [] -> fun() -> noproc end;
        [{_, Pid}] ->
            Answers = [perform(Ask) || Ask <- Asks],
            Pid ! release,
            fun() -> [all, [Answer() || Answer <- Answers]] end
    end;
perform(#{<<"op">> := <<"together">>, <<"ops">> := Ops}) ->
    Answers = [perform(Op) || Op <- Ops],
    fun() -> [all, [Answer() || Answer <- Answers]] end;
perform(#{<<"sup">> := Path} = Op) ->
    case living(Path) of
        none -> fun() -> noproc end;
        {ok, Pid, _} ->
            Request = gen_server:send_request(Pid, request(Op)),
            fun() ->
                case gen_server:receive_response(Request, 0) of
                    timeout -> hung;
                    {error, _} -> noproc;
                    {reply, Reply} -> reply(Reply)
                end
            end
    end;
perform(#{<<"op">> := Kind, <<"path">> := Path} = Op) ->
    Ret =
        case living(Path) of
            none -> noproc;
            {ok, Pid, _} -> tell(Kind, Pid, Op)
        end,
    fun() -> Ret end.

tell(<<"exit">>, Pid, #{<<"reason">> := Reason}) -> gen_server:cast(Pid, {exit, to_reason(Reason)});
tell(<<"kill">>, Pid, _) -> exit(Pid, kill), ok;
tell(<<"signal">>, Pid, #{<<"reason">> := Reason}) -> exit(Pid, to_reason(Reason)), ok;
tell(<<"stop">>, Pid, #{<<"reason">> := Reason}) ->
    spawn(fun() -> catch proc_lib:stop(Pid, to_reason(Reason), infinity) end),
    ok;
tell(Kind, Pid, #{<<"to">> := Path}) ->
    case living(Path) of
        none -> noproc;
        {ok, To, _} -> gen_server:cast(Pid, {binary_to_atom(Kind), To})
    end.

request(#{<<"op">> := <<"which_children">>}) -> which_children;
request(#{<<"op">> := <<"count_children">>}) -> count_children;
request(#{<<"op">> := <<"start_dyn">>, <<"key">> := Key}) -> {start_child, [Key]};
request(#{<<"op">> := <<"start_child">>, <<"sup">> := Path, <<"spec">> := Spec}) -> {start_child, child_spec(Path, Spec)};
request(#{<<"op">> := Op, <<"sup">> := Path, <<"child">> := Child}) ->
    case binary:match(Child, <<"#">>) of
        nomatch -> {binary_to_atom(Op), Child};
        _ ->
            case living(<<Path/binary, "/", Child/binary>>) of
                {ok, Pid, _} -> {binary_to_atom(Op), Pid};
                %% A live process that is no child.
                none -> {binary_to_atom(Op), self()}
            end
    end.

reply(ok) -> ok;
reply({ok, undefined}) -> ok_undefined;
reply({ok, _}) -> ok;
reply({error, {already_started, _}}) -> already_started;
reply({error, {Reason, Child}}) when element(1, Child) =:= child -> [error, reason(Reason)];
reply({error, Reason}) -> [error, reason(Reason)];
reply([{specs, Specs}, {active, Active}, {supervisors, Supervisors}, {workers, Workers}]) ->
    [counts, [Specs, Active, Supervisors, Workers]];
reply(Children) ->
    [children, [[Id, status(Child), Type] || {Id, Child, Type, _} <- Children]].

status(Pid) when is_pid(Pid) -> running;
status(Other) -> Other.

%% Who lives at a place.
living(Path) ->
    Alive = [{Pid, N} || {Pid, Place, N, _} <- ets:tab2list(processes), Place =:= Path, is_process_alive(Pid)],
    case lists:reverse(lists:keysort(2, Alive)) of
        [] -> none;
        [{Pid, N} | _] -> {ok, Pid, N}
    end.

%% -- the tree -----------------------------------------------------------------------------------

start_worker(Place, #{<<"name">> := Name} = Spec) ->
    gen_server:start_link({local, binary_to_atom(Name)}, driver, {worker, Place, Spec}, []);
start_worker(Place, Spec) ->
    gen_server:start_link(driver, {worker, Place, Spec}, []).

start_supervisor(Place, Spec) -> supervisor:start_link(driver, {supervisor, Place, Spec}).

start_dynamic(Path, Template, Key) ->
    Id = maps:get(<<"id">>, Template),
    start(<<Path/binary, "/", Id/binary, "#", Key/binary>>, Template).

start(Place, #{<<"type">> := <<"supervisor">>} = Spec) -> start_supervisor(Place, Spec);
start(Place, Spec) -> start_worker(Place, Spec).

child_spec(Path, #{<<"id">> := Id} = Spec) ->
    Place = <<Path/binary, "/", Id/binary>>,
    (common_spec(Spec))#{
        start =>
            case is_supervisor(Spec) of
                true -> {driver, start_supervisor, [Place, Spec]};
                false -> {driver, start_worker, [Place, Spec]}
            end
    }.

common_spec(#{<<"id">> := Id} = Spec) ->
    Type = type(Spec),
    #{
        id => Id,
        restart => atom(<<"restart">>, Spec, permanent),
        significant => maps:get(<<"significant">>, Spec, false),
        shutdown => allowance(Type, Spec),
        type => Type
    }.

allowance(supervisor, _) -> infinity;
allowance(worker, #{<<"shutdown">> := <<"infinity">>}) -> infinity;
allowance(worker, #{<<"shutdown">> := <<"brutal_kill">>}) -> brutal_kill;
allowance(worker, #{<<"on_shutdown">> := <<"hang">>}) -> ?HANG_ALLOWANCE;
allowance(worker, _) -> ?AMPLE.

is_supervisor(Spec) -> maps:get(<<"type">>, Spec, <<"worker">>) =:= <<"supervisor">>.

type(Spec) ->
    case is_supervisor(Spec) of
        true -> supervisor;
        false -> worker
    end.

atom(Key, Spec, Default) ->
    case Spec of
        #{Key := Value} -> binary_to_atom(Value);
        _ -> Default
    end.

init({supervisor, Place, Spec}) ->
    N = born(Place, supervisor),
    event([sup_init, Place, N]),
    Strategy = atom(<<"strategy">>, Spec, one_for_one),
    Flags = #{
        strategy => Strategy,
        intensity => maps:get(<<"intensity">>, Spec, 1),
        period => maps:get(<<"period">>, Spec, 5),
        auto_shutdown => atom(<<"auto_shutdown">>, Spec, never)
    },
    Children =
        case {Strategy, maps:get(<<"children">>, Spec, [])} of
            {simple_one_for_one, [Template]} ->
                [(common_spec(Template))#{start => {driver, start_dynamic, [Place, Template]}}];
            {_, Specs} ->
                [child_spec(Place, Child) || Child <- Specs]
        end,
    {ok, {Flags, Children}};
init({worker, Place, Spec}) ->
    process_flag(trap_exit, maps:get(<<"trap">>, Spec, true)),
    N = born(Place, worker),
    Outcomes = maps:get(<<"init">>, Spec, []),
    Outcome =
        case N =< length(Outcomes) of
            true -> lists:nth(N, Outcomes);
            false -> <<"ok">>
        end,
    event([init, Place, N, Outcome]),
    outcome(Outcome, {Place, N, maps:get(<<"on_shutdown">>, Spec, <<"ok">>)}).

outcome(<<"ok">>, State) -> {ok, State};
outcome(<<"ignore">>, _) -> ignore;
outcome(<<"error">>, _) -> {stop, init_error};
outcome(<<"normal">>, _) -> {stop, normal};
outcome(<<"shutdown">>, _) -> {stop, shutdown};
outcome(<<"raise">>, _) -> error(boom);
outcome(<<"bad">>, _) -> bad_value;
outcome(Hold, {Place, _, _} = State) ->
    ets:insert(held, {Place, self()}),
    receive
        release -> ok
    end,
    case Hold of
        <<"hold">> -> {ok, State};
        <<"hold_error">> -> {stop, init_error}
    end.

handle_call(_, _, State) -> {noreply, State}.

handle_cast({exit, Reason}, State) -> {stop, Reason, State};
handle_cast({link, To}, State) -> link(To), {noreply, State};
handle_cast({unlink, To}, State) -> unlink(To), {noreply, State};
handle_cast({monitor, To}, State) -> monitor(process, To), {noreply, State}.

handle_info({'EXIT', From, Reason}, State) -> notice(exit, From, Reason, State);
handle_info({'DOWN', _, process, From, Reason}, State) -> notice(down, From, Reason, State);
handle_info(_, State) -> {noreply, State}.

notice(Kind, From, Reason, {Place, N, _} = State) ->
    case ets:lookup(processes, From) of
        [{_, Of, _, _}] -> insert(notices, [Place, N, Kind, Of, reason(Reason)]);
        [] -> ok
    end,
    {noreply, State}.

terminate(Reason, {Place, N, OnShutdown}) ->
    event([terminate, Place, N, reason(Reason)]),
    case {Reason, OnShutdown} of
        {shutdown, <<"hang">>} -> ets:insert(hanging, {self()}), receive never -> ok end;
        {shutdown, Other} when Other =/= <<"ok">> -> exit(to_reason(Other));
        _ -> ok
    end.

%% -- what is recorded ---------------------------------------------------------------------------

%% Reports are taken in the process that makes them.
log(#{msg := {report, #{label := {supervisor, Kind}, report := Report}}}, _) ->
    [{_, Place, _, _}] = ets:lookup(processes, self()),
    case Kind of
        progress ->
            event([progress, Place, proplists:get_value(id, proplists:get_value(started, Report))]);
        _ ->
            Id = proplists:get_value(id, proplists:get_value(offender, Report)),
            event([Kind, Place, Id, reason(proplists:get_value(reason, Report))])
    end;
log(_, _) ->
    ok.

event(Event) -> insert(events, Event).

insert(Table, Item) ->
    ets:insert(Table, {erlang:unique_integer([monotonic]), Item}),
    ok.

%% Counts a start of a place and sees to it that its end is heard of.
born(Place, Type) ->
    N = ets:update_counter(counts, Place, 1, {Place, 0}),
    ets:insert(processes, {self(), Place, N, Type}),
    collector ! {watch, self()},
    receive
        watched -> N
    end.

collect() ->
    receive
        {watch, Pid} -> monitor(process, Pid), Pid ! watched;
        {'DOWN', _, process, Pid, Reason} ->
            case catch ets:lookup(processes, Pid) of
                [{_, Place, N, _}] -> insert(deaths, [Place, N, reason(Reason)]);
                _ -> ok
            end
    end,
    collect().

reason({shutdown, {failed_to_start_child, Id, Reason}}) ->
    iolist_to_binary(["{shutdown,failed(", Id, ",", reason(Reason), ")}"]);
reason({shutdown, Atom}) -> <<"{shutdown,", (atom_to_binary(Atom))/binary, "}">>;
reason({boom, [_ | _]}) -> <<"raised(boom)">>;
reason({bad_return_value, bad_value}) -> <<"bad_return(bad_value)">>;
reason(Atom) when is_atom(Atom) -> atom_to_binary(Atom);
reason(Other) -> iolist_to_binary(io_lib:format("~0p", [Other])).

to_reason(<<"{shutdown,", Rest/binary>>) -> {shutdown, binary_to_atom(binary:part(Rest, 0, byte_size(Rest) - 1))};
to_reason(Text) -> binary_to_atom(Text).

%% -- JSON (in the standard library from OTP 27) -------------------------------------------------

encode({object, Fields}) -> ["{", lists:join(",", [[encode(K), ":", encode(V)] || {K, V} <- Fields]), "}"];
encode(List) when is_list(List) -> ["[", lists:join(",", [encode(Item) || Item <- List]), "]"];
encode(Number) when is_integer(Number) -> integer_to_list(Number);
encode(Atom) when is_atom(Atom) -> encode(atom_to_binary(Atom));
encode(Text) when is_binary(Text) -> ["\"", [escape(C) || <<C>> <= Text], "\""].

escape($") -> "\\\"";
escape($\\) -> "\\\\";
escape(C) when C < 32 -> io_lib:format("\\u~4.16.0b", [C]);
escape(C) -> C.

decode(Text) ->
    {Value, _} = value(skip(Text)),
    Value.

value(<<"{", Rest/binary>>) -> fields(skip(Rest), #{});
value(<<"[", Rest/binary>>) -> items(skip(Rest), []);
value(<<"\"", Rest/binary>>) -> text(Rest, []);
value(<<"true", Rest/binary>>) -> {true, Rest};
value(<<"false", Rest/binary>>) -> {false, Rest};
value(<<"null", Rest/binary>>) -> {null, Rest};
value(Text) ->
    {match, [{0, Length}]} = re:run(Text, "^-?[0-9]+"),
    <<Digits:Length/binary, Rest/binary>> = Text,
    {binary_to_integer(Digits), Rest}.

fields(<<"}", Rest/binary>>, Map) -> {Map, Rest};
fields(<<",", Rest/binary>>, Map) -> fields(skip(Rest), Map);
fields(<<"\"", Text/binary>>, Map) ->
    {Key, Rest} = text(Text, []),
    <<":", Rest1/binary>> = skip(Rest),
    {Value, Rest2} = value(skip(Rest1)),
    fields(skip(Rest2), Map#{Key => Value}).

items(<<"]", Rest/binary>>, Items) -> {lists:reverse(Items), Rest};
items(<<",", Rest/binary>>, Items) -> items(skip(Rest), Items);
items(Text, Items) ->
    {Value, Rest} = value(Text),
    items(skip(Rest), [Value | Items]).

text(<<"\"", Rest/binary>>, Acc) -> {iolist_to_binary(lists:reverse(Acc)), Rest};
text(<<"\\u", Hex:4/binary, Rest/binary>>, Acc) ->
    text(Rest, [unicode:characters_to_binary([binary_to_integer(Hex, 16)]) | Acc]);
text(<<"\\n", Rest/binary>>, Acc) -> text(Rest, [$\n | Acc]);
text(<<"\\t", Rest/binary>>, Acc) -> text(Rest, [$\t | Acc]);
text(<<"\\", C, Rest/binary>>, Acc) -> text(Rest, [C | Acc]);
text(<<C, Rest/binary>>, Acc) -> text(Rest, [C | Acc]).

skip(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n -> skip(Rest);
skip(Text) -> Text.
